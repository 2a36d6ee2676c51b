import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createGates, type Gate, type NewGate } from '../../src/shared/db/gates.js'
import { createSuspensions, summarize } from '../../src/shared/db/suspensions.js'
import { startTestApi, type TestApiOptions } from '../helpers/api.js'

const ID = '3d1f5c1e-5b0c-4d53-9a7e-2f6f0a3c8b11'
const OTHER = '3d1f5c1e-5b0c-4d53-9a7e-2f6f0a3c8b12'

/** A claimed run that has asked for a gate. */
async function start(t: TestContext, options: TestApiOptions = {}) {
  const api = await startTestApi(t, options)
  const runId = await api.trigger(await api.set('p'))
  api.claim()
  const gates = createGates(api.db)
  const suspensions = createSuspensions(api.db)
  const claim = { runId, attempt: 1 }
  return {
    api,
    runId,
    claim,
    ask: (id: string, more: Partial<NewGate> = {}, now = Date.now()) => {
      const gate = {
        id,
        number: 1,
        name: 'deploy',
        message: 'now?',
        approvers: [],
        timeoutMs: null,
      }
      gates.insert({ ...gate, ...more }, runId, now)
    },
    /** Puts the run to its gate, as its executor does. */
    suspend(number = 1) {
      const on = { type: 'gate' as const, number }
      const waits = [{ on, reason: 'gate "deploy" waits for approval', dueAt: null }]
      assert.ok(api.runs.release(claim, summarize(waits), Date.now()))
      suspensions.suspend(runId, waits)
    },
  }
}

test('a gate is listed and approved; its run can be claimed then, and not before', async (t) => {
  const { api, runId, ask, suspend } = await start(t)
  ask(ID)
  suspend()
  assert.deepEqual(api.claim(), [])
  const status = await api.call('GET', `/api/runs/${runId}/status`)
  assert.equal(status.body['waiting_reason'], 'gate "deploy" waits for approval')

  const listed = await api.call('GET', `/api/runs/${runId}/gates`)
  assert.equal(listed.status, 200)
  const [pending] = listed.body as unknown as Record<string, unknown>[]
  assert.deepEqual(
    { ...pending, created_at: '', pipeline_id: '' },
    {
      ...{ id: ID, run_id: runId, pipeline_id: '', name: 'deploy', status: 'pending' },
      ...{ message: 'now?', approved_by: '', created_at: '' },
    },
  )

  const { status: code, body } = await api.call('POST', `/api/gates/${ID}/approve`)
  assert.equal(code, 200)
  assert.equal(body['status'], 'approved')
  assert.equal(body['approved_by'], 'unknown')
  assert.match(String(body['resolved_at']), /Z$/)
  const after = await api.call('GET', `/api/runs/${runId}/status`)
  assert.equal(after.body['waiting_reason'], 'starts in a moment')
  assert.deepEqual(api.claim(), [runId])
})

test('a gate is resolved once, whoever asks: the others learn how', async (t) => {
  const { api, ask } = await start(t)
  ask(ID)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      api.call('POST', `/api/gates/${ID}/${at % 2 === 0 ? 'approve' : 'reject'}`),
    ),
  )
  const won = answers.filter(({ status }) => status === 200)
  assert.equal(won.length, 1)
  for (const { status, body } of answers.filter((answer) => answer !== won[0])) {
    assert.equal(status, 409)
    assert.equal(body['error'], `gate is already ${String(won[0]?.body['status'])}`)
    assert.equal(body['code'], 'gate_resolved')
  }
})

test('a comment is kept with the gate', async (t) => {
  const { api, ask, runId } = await start(t)
  ask(ID)
  const { body } = await api.call('POST', `/api/gates/${ID}/reject`, { comment: 'not today' })
  assert.deepEqual([body['status'], body['comment']], ['rejected', 'not today'])
  const [gate] = createGates(api.db).listOfRun(runId)
  assert.equal(gate?.comment, 'not today')
  const bad = await api.call('POST', `/api/gates/${ID}/reject`, { coment: 'x' })
  assert.equal(bad.status, 400)
})

test('a gate whose time is over is timed out by whoever notices first', async (t) => {
  const { api, ask, suspend, runId } = await start(t)
  ask(ID, { timeoutMs: 1_000 }, Date.now() - 2_000)
  ask(OTHER, { number: 2 })
  suspend()
  const late = await api.call('POST', `/api/gates/${ID}/approve`)
  assert.deepEqual([late.status, late.body['error']], [409, 'gate is already timed_out'])
  assert.deepEqual(api.claim(), [runId])
  const { body } = await api.call('GET', '/api/gates?status=pending')
  assert.deepEqual(
    (body['items'] as { id: string }[]).map(({ id }) => id),
    [OTHER],
  )
})

test('all gates are listed page by page, newest first', async (t) => {
  const { api, ask } = await start(t)
  ask(ID)
  ask(OTHER, { number: 2 })
  const first = await api.call('GET', '/api/gates?per_page=1')
  assert.equal(first.body['total_items'], 2)
  assert.equal((first.body['items'] as { id: string }[])[0]?.id, OTHER)
  assert.equal((await api.call('GET', '/api/gates?status=open')).status, 400)
})

test('what is not there, what has ended, and what is switched off', async (t) => {
  const { api, ask, claim } = await start(t)
  for (const verb of ['approve', 'reject']) {
    const { status, body } = await api.call('POST', `/api/gates/none/${verb}`)
    assert.deepEqual([status, body['error']], [404, 'gate not found'])
  }
  assert.equal((await api.call('GET', '/api/runs/none/gates')).status, 404)
  ask(ID)
  assert.ok(api.runs.finish(claim, { status: 'success' }, Date.now()))
  const ended = await api.call('POST', `/api/gates/${ID}/approve`)
  assert.deepEqual([ended.status, ended.body['code']], [409, 'run_not_in_flight'])
  assert.equal((await api.call('GET', '/api/gates?status=pending')).body['total_items'], 0)
  const [stored] = (await api.call('GET', `/api/runs/${claim.runId}/gates`))
    .body as unknown as Gate[]
  assert.equal(stored?.status, 'pending')

  const off = await start(t, { flags: { 'allowed-features': ['secrets'] } })
  off.ask(ID)
  for (const [method, path] of [
    ['GET', `/api/runs/${off.runId}/gates`],
    ['GET', '/api/gates'],
    ['POST', `/api/gates/${ID}/approve`],
  ] as const) {
    const { status, body } = await off.api.call(method, path)
    assert.deepEqual([status, body['error']], [403, 'gates feature is not enabled'])
  }
})

test('a gate that was resolved before its run came to wait for it keeps nobody waiting', async (t) => {
  const { api, ask, suspend, runId } = await start(t)
  ask(ID)
  await api.call('POST', `/api/gates/${ID}/approve`)
  suspend()
  assert.deepEqual(api.claim(), [runId])
})

test('runs that wait for others leave the queue to the rest', async (t) => {
  const { api, ask, suspend } = await start(t, { capacity: 1, flags: { 'max-queue-size': ['0'] } })
  ask(ID)
  suspend()
  const pipeline = await api.set('other')
  await api.trigger(pipeline)
  assert.equal((await api.call('POST', `/api/pipelines/${pipeline}/trigger`)).status, 429)
})

test('the buttons of the page resolve a gate without script, with a comment', async (t) => {
  const { api, ask, suspend, runId } = await start(t)
  ask(ID, { message: 'now <b>?', approvers: ['ann'] })
  ask(OTHER, { number: 2, name: 'second' })
  suspend()
  const show = async (): Promise<string> => (await api.fetch(`/runs/${runId}/tasks`)).text()
  const html = await show()
  assert.match(html, /Gate deploy[\s\S]*now &lt;b>\?[\s\S]*For ann\./)
  assert.equal(html.split(`/gates/${OTHER}/reject`).length, 2)
  const press = (id: string, verb: string, comment: string) =>
    api.fetch(`/gates/${id}/${verb}`, {
      ...{ method: 'POST', redirect: 'manual', body: new URLSearchParams({ comment }) },
    })
  const rejected = await press(OTHER, 'reject', 'not <today>')
  assert.deepEqual(
    [rejected.status, rejected.headers.get('location')],
    [303, `/runs/${runId}/tasks`],
  )
  assert.match(await show(), /Gate second: rejected by unknown: not &lt;today>/)
  assert.equal((await press(ID, 'approve', '')).status, 303)
  assert.match(await show(), /Gate deploy: approved by unknown</)
  assert.equal((await press(ID, 'approve', '')).status, 409)
  assert.equal((await press(ID, 'approve', 'x'.repeat(4_001))).status, 400)
})
