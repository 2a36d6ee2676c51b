import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PIPELINE, startTestApi, type TestApi } from '../helpers/api.js'

const GROUP = { concurrency_mode: 'group', concurrency_group_template: '{{ index .Args 0 }}' }

async function triggerWith(api: TestApi, pipeline: string, args: string[] = []) {
  const body = { mode: 'args', args }
  const answer = await api.call('POST', `/api/pipelines/${pipeline}/trigger`, body)
  assert.equal(answer.status, 202)
  return String(answer.body['run_id'])
}

async function show(api: TestApi, runId: string) {
  const { body } = await api.call('GET', `/api/runs/${runId}/status`)
  return [body['status'], body['error_message'] ?? body['waiting_reason'] ?? '']
}

function finish(api: TestApi, runId: string): void {
  const attempt = api.runs.find(runId)?.attempt ?? 0
  const outcome = { status: 'failed', errorCode: 'stopped', errorMessage: 'Run stopped by user' }
  assert.ok(api.runs.finish({ runId, attempt }, outcome as never, Date.now()))
}

test('serial: the second run waits for the first and says so', async (t) => {
  const api = await startTestApi(t, { capacity: 5 })
  const id = await api.set('p', { concurrency_mode: 'serial' })
  const [first, second] = [await triggerWith(api, id), await triggerWith(api, id)]
  assert.deepEqual(api.claim(), [first])
  const group = `pipeline:${id}`
  const { body } = await api.call('GET', `/api/runs/${second}/status`)
  assert.equal(body['waiting_reason'], `run ${first} holds the concurrency group of its pipeline`)
  assert.deepEqual(body['waiting'], { kind: 'group', group, holder: first })
  assert.equal(body['concurrency_group'], group)
  finish(api, first)
  assert.deepEqual(api.claim(), [second])
})

test('skip-if-running: the run is recorded as skipped and names the oldest peer', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p', { concurrency_mode: 'skip-if-running' })
  const first = await triggerWith(api, id)
  const text = `skipped: pipeline already running (peer run ${first})`
  assert.deepEqual(await show(api, await triggerWith(api, id)), ['skipped', text])
  api.claim()
  assert.deepEqual(await show(api, await triggerWith(api, id)), ['skipped', text])
  const sync = await api.call('POST', '/api/pipelines/p/run', {})
  assert.equal(sync.status, 409)
  assert.match(
    String(sync.body['error']),
    /^run \S{21} rejected by concurrency rules: skipped: pipeline already running/,
  )
  finish(api, first)
  assert.deepEqual(await show(api, await triggerWith(api, id)), ['queued', 'starts in a moment'])
})

test('group: a superseding run waits until the old one has ended, and both say which', async (t) => {
  const api = await startTestApi(t, { capacity: 5 })
  const id = await api.set('p', { ...GROUP, concurrency_cancel_running: true })
  const running = await triggerWith(api, id, ['a'])
  assert.deepEqual(api.claim(), [running])
  const queued = await triggerWith(api, id, ['a'])
  const other = await triggerWith(api, id, ['b'])
  const last = await triggerWith(api, id, ['a'])
  assert.deepEqual(await show(api, queued), ['skipped', `superseded by run ${last}`])
  assert.deepEqual(api.claim(), [other], 'the group is still held')
  assert.equal(api.runs.findStopRequests('executor').length, 1)
  finish(api, running)
  assert.deepEqual(await show(api, running), ['failed', `superseded by run ${queued}`])
  assert.deepEqual(api.claim(), [last])
})

test('groups of pipelines are apart unless the template says that they are shared', async (t) => {
  const api = await startTestApi(t, { capacity: 9 })
  const ids = [await api.set('a', GROUP), await api.set('b', GROUP)]
  const shared = { ...GROUP, concurrency_group_template: 'shared:deploy-{{ index .Args 0 }}' }
  for (const name of ['c', 'd']) ids.push(await api.set(name, shared))
  const runs = []
  for (const id of ids) runs.push(await triggerWith(api, id, ['shared:deploy-x']))
  assert.deepEqual(api.claim(), runs.slice(0, 3))
  assert.equal(api.runs.find(runs[0] ?? '')?.concurrencyGroup, `pipeline:${ids[0]}:shared:deploy-x`)
  assert.equal(api.runs.find(runs[2] ?? '')?.concurrencyGroup, 'shared:deploy-shared:deploy-x')
})

test('a group that cannot be named fails the run, which is still accepted', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p', {
    concurrency_mode: 'group',
    concurrency_group_template: '{{ range .Args }}{{ . }}{{ end }}',
  })
  assert.deepEqual(await show(api, await triggerWith(api, id)), [
    'failed',
    'resolve concurrency group: concurrency_group_template rendered to an empty string',
  ])
  await api.set('p', { concurrency_mode: 'group', concurrency_group_template: '{{ .Nope }}' })
  const [status, text] = await show(api, await triggerWith(api, id))
  assert.equal(status, 'failed')
  assert.match(String(text), /^resolve concurrency group: execute concurrency_group_template: /)
})

test('a rule stays until another is set; a part of one has to fit what is stored', async (t) => {
  const api = await startTestApi(t)
  const read = async () => (await api.call('GET', '/api/pipelines/p')).body
  await api.set('p', {
    ...GROUP,
    priority: 'high',
    labels: ['gpu', 'a'],
    max_in_flight: 2,
    run_timeout: '90m',
  })
  await api.set('p', { concurrency_cancel_running: true })
  const body = await read()
  assert.deepEqual(
    [body['concurrency_mode'], body['concurrency_cancel_running'], body['priority']],
    ['group', true, 'high'],
  )
  assert.deepEqual(
    [body['labels'], body['max_in_flight'], body['run_timeout']],
    [['a', 'gpu'], 2, '1h30m0s'],
  )
  await api.set('p', { concurrency_mode: 'serial', labels: [], max_in_flight: 0, run_timeout: '0' })
  const plain = await read()
  for (const key of ['concurrency_group_template', 'concurrency_cancel_running', 'labels'])
    assert.equal(key in plain, false, key)
  const refused = await api.call('PUT', '/api/pipelines/p', {
    content: PIPELINE,
    concurrency_group_template: 'x',
  })
  assert.equal(refused.status, 400)
  assert.equal(
    refused.body['error'],
    'concurrency_group_template is only valid when concurrency_mode is "group"',
  )
})

test('priorities go first, labels and limits hold back only what they are about', async (t) => {
  const api = await startTestApi(t, { capacity: 9 })
  const low = await triggerWith(api, await api.set('low', { priority: 'low' }))
  const gpu = await triggerWith(api, await api.set('gpu', { labels: ['gpu'] }))
  const limited = await api.set('limited', { max_in_flight: 1 })
  const [one, two] = [await triggerWith(api, limited), await triggerWith(api, limited)]
  const high = await triggerWith(api, await api.set('high', { priority: 'high' }))
  const queue = await api.call('GET', '/api/queue')
  const ids = (queue.body['queued'] as { id: string }[]).map(({ id }) => id)
  assert.deepEqual(ids, [high, gpu, one, two, low])
  assert.deepEqual(api.claim(), [high, one, low])
  assert.deepEqual(await show(api, gpu), ['queued', 'no executor is there with the labels gpu'])
  assert.deepEqual(await show(api, two), [
    'queued',
    '1 of at most 1 runs of this pipeline are under way',
  ])
})
