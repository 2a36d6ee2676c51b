import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../helpers/api.js'

test('a seed is a run that has succeeded, with the job as its one entry', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const { status, body } = await api.call('POST', '/api/pipelines/p/jobs/unit%20tests/seed-passed')
  assert.equal(status, 200)
  const runId = String(body['run_id'])
  assert.match(runId, /^[\w-]{21}$/)
  const message = 'job passed status seeded successfully'
  assert.deepEqual(body, { pipeline_id: id, job: 'unit tests', run_id: runId, message })

  const { body: run } = await api.call('GET', `/api/runs/${runId}/status`)
  const { created_at: createdAt, completed_at: completedAt, ...rest } = run
  assert.equal(createdAt, completedAt)
  assert.deepEqual(rest, {
    ...{ id: runId, pipeline_id: id, status: 'success' },
    ...{ trigger_type: 'seed', triggered_by: 'unknown', trigger_input: {} },
  })
  const tasks = await (await api.fetch(`/api/runs/${runId}/tasks`)).json()
  assert.deepEqual(tasks, [
    {
      step: 1,
      name: 'unit tests',
      path: `/pipeline/${runId}/jobs/unit tests`,
      payload: { status: 'success', seeded: true, logs: [] },
    },
  ])
  assert.equal(api.tasks.findLatestJobStatus(id, 'unit tests'), 'success')
  assert.ok(api.logLines().some((line) => line.includes('"audit":"job.seed-passed"')))
})

test('a seed asks for no room: no executor, no queue, a pause and a held group are all the same to it', async (t) => {
  const api = await startTestApi(t, { capacity: 1, flags: { 'max-queue-size': ['0'] } })
  const id = await api.set('p', { concurrency_mode: 'skip-if-running' })
  const running = await api.trigger(id)
  assert.deepEqual(api.claim(), [running])
  await api.call('POST', `/api/pipelines/${id}/pause`)
  const { status, body } = await api.call('POST', `/api/pipelines/${id}/jobs/build/seed-passed`)
  assert.equal(status, 200)
  const run = api.runs.find(String(body['run_id']))
  assert.deepEqual([run?.status, run?.concurrencyGroup, run?.attempt], ['success', '', 0])
  assert.deepEqual(api.claim(), [])

  await api.call('POST', `/api/pipelines/${id}/unpause`)
  const finished = { status: 'success' } as const
  assert.ok(api.runs.finish({ runId: running, attempt: 1 }, finished, Date.now()))
  assert.equal((await api.call('POST', `/api/pipelines/${id}/trigger`)).status, 202)
  await api.call('POST', `/api/pipelines/${id}/jobs/build/seed-passed`)
  // the one slot is spoken for by the run that waits, and by no seed
  assert.equal((await api.call('POST', `/api/pipelines/${id}/trigger`)).status, 429)
})

test('there is nothing in a seed that could be done again', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const { body } = await api.call('POST', '/api/pipelines/p/jobs/build/seed-passed')
  const runId = String(body['run_id'])
  assert.equal((await api.call('POST', `/api/runs/${runId}/resume`)).status, 409)
  assert.equal((await api.call('POST', `/api/runs/${runId}/rerun`, { from: 1 })).status, 404)
  const page = await (await api.fetch(`/runs/${runId}/tasks`)).text()
  assert.match(page, />seeded</)
  assert.doesNotMatch(page, /Run Again/)
})

test('a job that could not be a part of a path is refused, and nothing is recorded', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const refused: [string, string][] = [
    ['a%2Fb', 'invalid job name: it must not contain "/"'],
    ['a%00b', 'invalid job name: it must not contain control characters'],
    ['%20', 'invalid job name: it is blank'],
    ['x'.repeat(256), 'invalid job name: it has 256 characters, of 255 at most'],
  ]
  for (const [job, error] of refused) {
    const { status, body } = await api.call('POST', `/api/pipelines/p/jobs/${job}/seed-passed`)
    assert.deepEqual([status, body['error']], [400, error])
  }
  const missing = await api.call('POST', '/api/pipelines/none/jobs/build/seed-passed')
  assert.deepEqual([missing.status, missing.body['error']], [404, 'pipeline not found'])
  assert.equal(api.runs.list({ page: 1, perPage: 1 }).totalItems, 0)
})
