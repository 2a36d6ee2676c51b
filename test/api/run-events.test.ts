import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEvents, startTestApi } from '../helpers/api.js'

test('a page hears of tasks before their output, of changes as they come, and of the end', async (t) => {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  const claim = { runId, attempt: 1 }
  const seen: string[] = []
  let ids: string[] = []
  for await (const event of readEvents(await api.fetch(`/api/runs/${runId}/events`))) {
    if (typeof event === 'string') continue
    const { data } = event
    if (event.id !== undefined) ids = [...ids, event.id]
    const what = `${event.event ?? ''}${String(data['type'])} ${String(data['step'])} ${String(data['status'] ?? data['text'])}`
    seen.push(what)
    // each step of the story is told before the next one happens
    switch (what) {
      case 'run undefined queued':
        api.claim()
        break
      case 'run undefined running':
        api.tasks.insert(claim, { step: 1, path: `/pipeline/${runId}/tasks/0-a`, name: 'a' })
        break
      case 'task 1 pending':
        api.tasks.start(claim, 1, Date.now())
        break
      case 'task 1 running':
        api.print(runId, 1, 'hello')
        break
      case 'output 1 hello':
        api.tasks.finish(claim, 1, { status: 'success', code: 0 }, Date.now())
        break
      case 'task 1 success':
        api.runs.finish(claim, { status: 'success' }, Date.now())
    }
  }
  assert.deepEqual(
    seen.filter((what, at) => what !== seen[at - 1]),
    [
      'run undefined queued',
      'run undefined running',
      'task 1 pending',
      'task 1 running',
      'output 1 hello',
      'task 1 success',
      'run undefined success',
      'endrun undefined success',
    ],
  )
  assert.deepEqual(ids, ['1'])
})

test('a page that comes back goes on behind what it has', async (t) => {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  api.claim()
  for (const text of ['one', 'two', 'three']) api.print(runId, 0, text)
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  const texts = async (lastId?: string) => {
    const found: unknown[] = []
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
    for await (const event of readEvents(await api.fetch(`/api/runs/${runId}/events`, { headers })))
      if (typeof event === 'object' && event.data['type'] === 'output')
        found.push(event.data['text'])
    return found
  }
  assert.deepEqual(await texts(), ['one', 'two', 'three'])
  assert.deepEqual(await texts('2'), ['three'])
  assert.deepEqual(await texts('nonsense'), ['one', 'two', 'three'])
})

test('many tasks are all told, and of a loud step only the end', async (t) => {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  api.claim()
  for (let step = 1; step <= 300; step++)
    api.tasks.insert(
      { runId, attempt: 1 },
      { step, path: `/pipeline/${runId}/tasks/${step}`, name: 'x' },
    )
  for (let at = 0; at < 40; at++) api.print(runId, 7, Buffer.alloc(65_536, 'x'))
  api.print(runId, 8, 'short')
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  let tasks = 0
  let skipped = 0
  const shown = new Map<unknown, number>()
  for await (const event of readEvents(await api.fetch(`/api/runs/${runId}/events`))) {
    if (typeof event === 'string') continue
    const { type, step, bytes, text } = event.data
    if (type === 'task') tasks++
    if (type === 'skipped') skipped += Number(bytes)
    if (type === 'output') shown.set(step, (shown.get(step) ?? 0) + String(text).length)
  }
  assert.equal(tasks, 300)
  assert.equal(shown.get(8), 5)
  const tail = shown.get(7) ?? 0
  assert.ok(tail > 0 && tail < 1_048_576)
  assert.ok(skipped > 40 * 65_536 - 1_048_576)
})
