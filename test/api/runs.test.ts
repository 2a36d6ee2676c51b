import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../helpers/api.js'

test('a run shows what it has and leaves out what is empty', async (t) => {
  const api = await startTestApi(t)
  const pipelineId = await api.set('p')
  const runId = await api.trigger(pipelineId)
  const { created_at: createdAt, ...queued } = await statusOf(api, runId)
  assert.match(String(createdAt), /Z$/)
  assert.deepEqual(queued, {
    id: runId,
    pipeline_id: pipelineId,
    status: 'queued',
    trigger_type: 'manual',
    waiting_reason: 'starts in a moment',
    waiting: { kind: 'turn', ahead: 0 },
    trigger_input: {},
  })
  api.claim()
  assert.deepEqual(Object.keys(await statusOf(api, runId)), [
    'id',
    'pipeline_id',
    'status',
    'trigger_type',
    'trigger_input',
    'started_at',
    'created_at',
  ])
  const outcome = { status: 'failed', errorCode: 'aborted', errorMessage: 'why' } as const
  api.runs.finish({ runId, attempt: 1 }, outcome, Date.now())
  const ended = await statusOf(api, runId)
  assert.deepEqual([ended['status'], ended['error_message']], ['failed', 'why'])
  assert.match(String(ended['completed_at']), /Z$/)
})

test('runs are listed newest first, of one pipeline or of all', async (t) => {
  const api = await startTestApi(t)
  const a = await api.set('a')
  const b = await api.set('b')
  const ids = [await api.trigger(a), await api.trigger(b), await api.trigger(a)]
  const list = async (path: string) => {
    const { body } = await api.call('GET', path)
    const items = body['items'] as { id: string }[]
    return [items.map(({ id }) => ids.indexOf(id)), body['total_items'], body['has_next']]
  }
  assert.deepEqual(await list('/api/runs'), [[2, 1, 0], 3, false])
  assert.deepEqual(await list('/api/pipelines/a/runs?per_page=1'), [[2], 2, true])
  assert.deepEqual(await list(`/api/pipelines/${b}/runs`), [[1], 1, false])
})

test('stopping ends a queued run, asks for the end of a running one and refuses an ended one', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const queued = await api.trigger(id)
  const stop = (runId: string) => api.call('POST', `/api/runs/${runId}/stop`)
  const first = await stop(queued)
  assert.deepEqual([first.status, first.body], [200, { run_id: queued, status: 'stopped' }])
  assert.equal((await statusOf(api, queued))['error_message'], 'Run stopped by user')

  const running = await api.trigger(id)
  api.claim()
  assert.deepEqual((await stop(running)).body, { run_id: running, status: 'stopping' })
  assert.deepEqual((await stop(running)).body, { run_id: running, status: 'stopping' })
  const again = await stop(queued)
  assert.deepEqual([again.status, again.body['error']], [409, 'run is not currently in flight'])
})

test('a run that is not there is 404 everywhere', async (t) => {
  const api = await startTestApi(t)
  for (const [method, path] of [
    ['GET', 'status'],
    ['GET', 'tasks'],
    ['GET', 'tasks?path=x'],
    ['GET', 'logs'],
    ['GET', 'events'],
    ['POST', 'stop'],
  ] as const) {
    const { status, body } = await api.call(method, `/api/runs/nope/${path}`)
    assert.deepEqual([status, body['error']], [404, 'run not found'], path)
  }
})

async function statusOf(api: TestApi, runId: string): Promise<Record<string, unknown>> {
  return (await api.call('GET', `/api/runs/${runId}/status`)).body
}
