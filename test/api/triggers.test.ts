import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../helpers/api.js'

test('an accepted trigger is answered in full and is in the table', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const { status, body } = await api.call('POST', '/api/pipelines/p/trigger', {
    mode: 'args',
    args: ['one', '--two'],
    jobs: ['build'],
  })
  assert.equal(status, 202)
  const runId = String(body['run_id'])
  assert.match(runId, /^[\w-]{21}$/)
  assert.deepEqual(body, {
    run_id: runId,
    pipeline_id: id,
    status: 'queued',
    trigger_type: 'manual',
    triggered_by: '',
    trigger_input: { args: ['one', '--two'], jobs: ['build'] },
    message: 'pipeline execution started',
  })
  assert.equal(api.runs.find(runId)?.status, 'queued')
})

test('arguments count in mode args alone, and a body is optional', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  for (const body of [
    undefined,
    {},
    { mode: 'manual', args: ['x'] },
    { mode: 'new', args: null },
  ]) {
    const answer = await api.call('POST', '/api/pipelines/p/trigger', body)
    assert.deepEqual([answer.status, answer.body['trigger_input']], [202, {}])
  }
})

test('a trigger that cannot mean what it says is refused', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const post = async (body: string, type = 'application/json') => {
    const headers = { 'content-type': type }
    const response = await api.fetch('/api/pipelines/p/trigger', { method: 'POST', body, headers })
    return [response.status, ((await response.json()) as { error: string }).error]
  }
  assert.deepEqual(await post('{'), [400, 'invalid request body'])
  assert.deepEqual(await post('{"mode":"args"}', 'text/plain'), [400, 'invalid request body'])
  assert.deepEqual(await post('{"argz":[]}'), [400, 'invalid request body: unknown field "argz"'])
  assert.deepEqual(await post('{"args":"x"}'), [
    400,
    'invalid request body: args: Invalid input: expected array, received string',
  ])
  assert.deepEqual(await post(JSON.stringify({ args: Array.from({ length: 1_001 }, () => 'x') })), [
    400,
    'invalid request body: args: at most 1000 entries',
  ])
  assert.deepEqual(await post(JSON.stringify({ args: ['x'.repeat(300_000)] })), [
    400,
    'invalid request body: args: at most 262144 characters in all',
  ])
  const [status] = await post('{"mode":"webhook","webhook":{"url":"x"}}')
  assert.equal(status, 400)
  assert.equal(api.runs.countQueued(10), 0)
})

test('a full queue refuses with 429, its numbers and Retry-After', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-queue-size': ['1'] }, capacity: 2 })
  const id = await api.set('p')
  for (let at = 0; at < 2; at++) await api.trigger(id)
  api.claim()
  await api.trigger(id)
  for (const path of ['trigger', 'run']) {
    const { status, headers, body } = await api.call('POST', `/api/pipelines/p/${path}`)
    assert.equal(status, 429)
    assert.equal(headers.get('retry-after'), '5')
    assert.deepEqual(body, {
      error: 'execution queue is full',
      message: 'execution queue is full',
      code: 'queue_full',
      request_id: headers.get('x-request-id'),
      in_flight: 2,
      max_in_flight: 2,
      max_queue_size: 1,
    })
  }
})

test('500 triggers at once against room for 100: exactly the accepted ones are in the table', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-queue-size': ['90'] }, capacity: 10 })
  const id = await api.set('p')
  const answers = await Promise.all(
    Array.from({ length: 500 }, () => api.call('POST', `/api/pipelines/${id}/trigger`)),
  )
  const accepted = answers.filter(({ status }) => status === 202)
  assert.equal(accepted.length, 100)
  assert.ok(answers.every(({ status }) => status === 202 || status === 429))
  const stored = api.db.prepare<[], string>('select id from runs order by id').pluck().all()
  assert.deepEqual(stored, accepted.map(({ body }) => String(body['run_id'])).sort())
})

test('a server that stops takes on no new runs and answers all else', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  api.stopping.abort()
  for (const path of ['trigger', 'run']) {
    const { status, headers, body } = await api.call('POST', `/api/pipelines/p/${path}`)
    assert.deepEqual([status, body['code']], [503, 'server_stopping'])
    assert.equal(headers.get('retry-after'), '5')
  }
  assert.equal((await api.call('GET', '/api/pipelines')).status, 200)
})
