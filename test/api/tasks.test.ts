import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../helpers/api.js'

interface Entry {
  step: number
  name: string
  path: string
  payload: { status: string; logs: { type: string; content: string }[] } & Record<string, unknown>
}

test('tasks have their state and their output, neighbours of one stream merged', async (t) => {
  const { api, runId, addTask } = await startRun(t)
  addTask(1, '0-build')
  addTask(2, '1-test')
  api.tasks.start({ runId, attempt: 1 }, 1, 1_000)
  api.tasks.finish({ runId, attempt: 1 }, 1, { status: 'failure', code: 2 }, 63_000)
  api.print(runId, 1, 'a "quoted"\n')
  api.print(runId, 1, 'line\t\u0001 \u2028</script>')
  api.print(runId, 1, 'bad', 'stderr')
  api.print(runId, 1, 'end')
  assert.deepEqual(await entries(api, runId), [
    {
      step: 1,
      name: '0-build',
      path: `/pipeline/${runId}/tasks/0-build`,
      payload: {
        status: 'failure',
        started_at: '1970-01-01T00:00:01.000Z',
        elapsed: '1m 2s',
        code: 2,
        logs: [
          { type: 'stdout', content: 'a "quoted"\nline\t\u0001 \u2028</script>' },
          { type: 'stderr', content: 'bad' },
          { type: 'stdout', content: 'end' },
        ],
      },
    },
    {
      step: 2,
      name: '1-test',
      path: `/pipeline/${runId}/tasks/1-test`,
      payload: { status: 'pending', logs: [] },
    },
  ])
})

test('tasks come without their output when it is not wanted', async (t) => {
  const { api, runId, addTask } = await startRun(t)
  addTask(1, 'build')
  addTask(2, 'test')
  api.print(runId, 1, 'much')
  for (const more of ['', '&per_page=5']) {
    const response = await api.fetch(`/api/runs/${runId}/tasks?output=false${more}`)
    const body = (await response.json()) as Entry[] | { items: Entry[] }
    const found = Array.isArray(body) ? body : body.items
    assert.deepEqual(
      found.map(({ payload }) => payload),
      [{ status: 'pending' }, { status: 'pending' }],
    )
  }
})

test('characters that chunks cut in two stay whole, also around the other stream', async (t) => {
  const { api, runId, addTask } = await startRun(t)
  addTask(1, 'x')
  const [rocket, bad] = [Buffer.from('🚀'), Buffer.from([0xff, 0x41])]
  api.print(runId, 1, rocket.subarray(0, 1))
  api.print(runId, 1, 'e', 'stderr')
  api.print(runId, 1, rocket.subarray(1))
  api.print(runId, 1, bad)
  api.print(runId, 1, rocket.subarray(0, 2), 'stderr')
  const [entry] = await entries(api, runId)
  assert.deepEqual(entry?.payload.logs, [
    { type: 'stderr', content: 'e' },
    { type: 'stdout', content: '🚀\ufffdA' },
    { type: 'stderr', content: '\ufffd' },
  ])
})

test('tasks are paged when asked and found by a path that stays in the run', async (t) => {
  const { api, runId, addTask } = await startRun(t)
  for (let step = 1; step <= 250; step++) addTask(step, `t${step}`)
  assert.equal((await entries(api, runId)).length, 250)
  const { body } = await api.call('GET', `/api/runs/${runId}/tasks?page=3&per_page=100`)
  assert.deepEqual(
    [(body['items'] as Entry[]).length, body['total_items'], body['has_next']],
    [50, 250, false],
  )
  const find = (path: string) =>
    api.call('GET', `/api/runs/${runId}/tasks?path=${encodeURIComponent(path)}`)
  for (const path of ['tasks/t7', `/pipeline/${runId}/tasks/t7`, 'tasks/../tasks/./t7']) {
    const found = (await find(path)).body as unknown as Entry[]
    assert.deepEqual(
      found.map((entry) => entry.path),
      [`/pipeline/${runId}/tasks/t7`],
    )
  }
  const missing = await find('tasks/nope')
  assert.deepEqual([missing.status, missing.body['error']], [404, 'task not found'])
  for (const path of [
    '../other/tasks/t7',
    '/pipeline/other/tasks/t7',
    '/etc/passwd',
    `/pipeline/${runId}x/tasks/t7`,
    '..',
  ]) {
    const refused = await find(path)
    assert.deepEqual(
      [refused.status, refused.body['error']],
      [400, 'task path must be scoped to the run'],
      path,
    )
  }
})

test('raw output can be read by step, from a chunk on, and of the whole run', async (t) => {
  const { api, runId } = await startRun(t)
  api.print(runId, 0, 'console ')
  api.print(runId, 1, 'one ')
  api.print(runId, 2, Buffer.from([0xff, 0x00]))
  api.print(runId, 1, 'two', 'stderr')
  const read = async (query: string) =>
    Buffer.from(await (await api.fetch(`/api/runs/${runId}/logs${query}`)).arrayBuffer())
  assert.equal((await read('?step=0')).toString(), 'console ')
  assert.equal((await read('?step=1')).toString(), 'one two')
  assert.equal((await read('?step=1&after=1')).toString(), 'two')
  assert.deepEqual(await read('?step=2'), Buffer.from([0xff, 0x00]))
  assert.equal((await read('')).length, 17)
  assert.equal((await read('?step=9')).length, 0)
  for (const query of ['?step=x', '?step=-1', '?after=1e3', '?step='])
    assert.equal((await api.call('GET', `/api/runs/${runId}/logs${query}`)).status, 400, query)
})

test('a reader that leaves in the middle harms nobody', async (t) => {
  const { api, runId, addTask } = await startRun(t)
  addTask(1, 'x')
  for (let at = 0; at < 100; at++) api.print(runId, 1, Buffer.alloc(65_536, 'x'))
  for (const path of ['tasks', 'logs', 'events']) {
    const response = await api.fetch(`/api/runs/${runId}/${path}`)
    await response.body?.getReader().read()
    await response.body?.cancel().catch(() => undefined)
  }
  assert.equal((await api.call('GET', '/health')).status, 200)
})

/** A run that an executor of the test's has claimed. */
async function startRun(t: Parameters<typeof startTestApi>[0]) {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('p'))
  api.claim()
  const addTask = (step: number, name: string): void => {
    const path = `/pipeline/${runId}/tasks/${name}`
    assert.ok(api.tasks.insert({ runId, attempt: 1 }, { step, path, name }))
  }
  return { api, runId, addTask }
}

async function entries(api: TestApi, runId: string): Promise<Entry[]> {
  return (await (await api.fetch(`/api/runs/${runId}/tasks`)).json()) as Entry[]
}
