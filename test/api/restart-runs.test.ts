import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PIPELINE, startTestApi, type TestApi } from '../helpers/api.js'

const FAILED = { status: 'failed', errorCode: 'pipeline_failed', errorMessage: 'why' } as const

/** A run that has ended, with one step that ended well. */
async function endedRun(
  api: TestApi,
  pipeline: string,
  outcome: typeof FAILED | { status: 'success' },
) {
  const runId = await api.trigger(pipeline)
  assert.ok(api.claim().includes(runId))
  const claim = { runId, attempt: api.runs.find(runId)?.attempt ?? 0 }
  const path = `/pipeline/${runId}/tasks/0-a`
  api.tasks.insert(claim, { step: 1, path, name: 'a', effect: 1 })
  api.tasks.finish(claim, 1, { status: 'success', code: 0 }, Date.now())
  assert.ok(api.runs.finish(claim, outcome, Date.now()))
  return runId
}

const post = (api: TestApi, runId: string, verb: string, body?: unknown) =>
  api.call('POST', `/api/runs/${runId}/${verb}`, body)

test('a failed run is resumed: the same run, in the queue, with nothing of its end', async (t) => {
  const api = await startTestApi(t)
  const runId = await endedRun(api, await api.set('p'), FAILED)
  const { status, body } = await post(api, runId, 'resume')
  assert.deepEqual([status, body], [200, { run_id: runId, status: 'resuming' }])
  const { body: run } = await api.call('GET', `/api/runs/${runId}/status`)
  const { created_at: createdAt, restarted_at: restartedAt, ...rest } = run
  for (const time of [createdAt, restartedAt]) assert.match(String(time), /Z$/)
  assert.deepEqual(rest, {
    id: runId,
    pipeline_id: run['pipeline_id'],
    status: 'queued',
    trigger_type: 'manual',
    trigger_input: {},
    waiting_reason: 'what it left behind when it ended is removed first',
    waiting: { kind: 'cleanup' },
    generation: 2,
  })
  const tasks = await (await api.fetch(`/api/runs/${runId}/tasks?output=false`)).json()
  assert.equal((tasks as { path: string }[])[0]?.path, `/pipeline/${runId}/earlier/1/tasks/0-a`)
  assert.ok(api.logLines().some((line) => line.includes('"audit":"run.resume"')))
  // nothing is claimed before it is clean
  assert.deepEqual(api.claim(), [])
  api.db.prepare('delete from run_cleanups').run()
  assert.deepEqual(api.claim(), [runId])
})

test('what cannot be resumed is refused, and nothing changes', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const good = await endedRun(api, id, { status: 'success' })
  const queued = await api.trigger(id)
  for (const runId of [good, queued]) {
    const { status, body } = await post(api, runId, 'resume')
    assert.deepEqual(
      [status, body['code'], body['error']],
      [409, 'run_not_resumable', 'only failed runs can be resumed'],
    )
  }
  assert.equal((await post(api, 'nope', 'resume')).status, 404)
  const again = await post(api, queued, 'rerun', { from: 1 })
  assert.deepEqual([again.status, again.body['error']], [409, 'the run has not ended'])
  for (const from of [2, 'tasks/1-b'])
    assert.equal((await post(api, good, 'rerun', { from })).body['code'], 'task_not_found')
  for (const body of [
    undefined,
    {},
    { from: 0 },
    { from: '' },
    { from: '../x' },
    { from: 1, x: 1 },
  ])
    assert.equal((await post(api, good, 'rerun', body)).status, 400, JSON.stringify(body))
  assert.equal(api.runs.find(good)?.generation, 1)
})

test('re-run from a step takes a run that ended well, by number or path', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  for (const from of [1, 'tasks/0-a']) {
    const runId = await endedRun(api, id, { status: 'success' })
    const { status, body } = await post(api, runId, 'rerun', { from })
    assert.deepEqual([status, body], [200, { run_id: runId, status: 'resuming' }])
    assert.equal(api.runs.find(runId)?.status, 'queued')
  }
})

test('a full queue refuses a resume with 429 and leaves the run as it was; a pause does not', async (t) => {
  const api = await startTestApi(t, { flags: { 'max-queue-size': ['1'] }, capacity: 1 })
  const id = await api.set('p')
  const runId = await endedRun(api, id, FAILED)
  await api.trigger(id)
  await api.trigger(id)
  const { status, headers, body } = await post(api, runId, 'resume')
  assert.deepEqual([status, headers.get('retry-after'), body['code']], [429, '5', 'queue_full'])
  assert.equal(api.runs.find(runId)?.errorMessage, 'why')
  await api.call('POST', `/api/pipelines/${id}/pause`)
  assert.equal((await post(api, runId, 'retrigger')).status, 409)
  assert.equal(api.claim().length, 2)
  // both slots of the queue are free again
  for (const run of api.runs.findActive(id)) api.runs.finish({ runId: run, attempt: 1 }, FAILED, 1)
  assert.equal((await post(api, runId, 'resume')).status, 200)
})

test('with the feature off neither resume nor re-run is there; retrigger is', async (t) => {
  const api = await startTestApi(t, { flags: { 'allowed-features': ['secrets'] } })
  const runId = await endedRun(api, await api.set('p'), FAILED)
  for (const [verb, body] of [['resume'], ['rerun', { from: 1 }]] as const) {
    const answer = await post(api, runId, verb, body)
    assert.deepEqual([answer.status, answer.body['error']], [403, 'resume feature is not enabled'])
  }
  const page = await (await api.fetch(`/runs/${runId}/tasks`)).text()
  assert.ok(!page.includes('run-resume-form') && page.includes('run-retrigger-form'))
  assert.equal((await post(api, runId, 'retrigger')).status, 202)
})

test('retrigger is a new run with the same input', async (t) => {
  const api = await startTestApi(t)
  await api.set('p')
  const input = { mode: 'args', args: ['one'], jobs: ['build'] }
  const first = String((await api.call('POST', '/api/pipelines/p/trigger', input)).body['run_id'])
  const { status, body } = await post(api, first, 'retrigger')
  assert.equal(status, 202)
  assert.notEqual(body['run_id'], first)
  assert.deepEqual(body['trigger_input'], { args: ['one'], jobs: ['build'] })
  assert.deepEqual([body['status'], body['trigger_type']], ['queued', 'manual'])
})

test('a run that was given a working directory is not done again without it', async (t) => {
  const api = await startTestApi(t)
  const runId = await endedRun(api, await api.set('p'), FAILED)
  api.db.prepare('update runs set has_upload = 1').run()
  for (const [verb, body] of [['resume'], ['rerun', { from: 1 }], ['retrigger']] as const)
    assert.deepEqual((await post(api, runId, verb, body)).body['code'], 'workdir_gone')
  const page = await (await api.fetch(`/runs/${runId}/tasks`)).text()
  assert.ok(!page.includes('run-resume-form') && !page.includes('run-retrigger-form'))
})

test('the buttons of the page resume a run and start it again', async (t) => {
  const api = await startTestApi(t)
  const runId = await endedRun(api, await api.set('p'), FAILED)
  const again = await api.call('POST', `/runs/${runId}/retrigger`)
  assert.equal(again.status, 303)
  assert.notEqual(again.headers.get('location'), `/runs/${runId}/tasks`)
  const resumed = await api.call('POST', `/runs/${runId}/resume`)
  assert.deepEqual([resumed.status, resumed.headers.get('location')], [303, `/runs/${runId}/tasks`])
  const page = await (await api.fetch(`/runs/${runId}/tasks`)).text()
  assert.match(page, /id="run-resume-form"[^>]* hidden/)
  assert.match(page, /<span class="dim">earlier<\/span>/)
})

test('a step’s button runs a run again from there, without script; not while it goes on', async (t) => {
  const api = await startTestApi(t)
  const runId = await endedRun(api, await api.set('p'), { status: 'success' })
  const form =
    /<form class="run-rerun-form" method="post" action="([^"]+)"( hidden)?><button class="btn" name="from" value="(\d+)">/
  const pageOf = async () => (await api.fetch(`/runs/${runId}/tasks`)).text()
  const [, action = '', hidden, value = ''] = form.exec(await pageOf()) ?? []
  assert.deepEqual([action, hidden, value], [`/runs/${runId}/rerun`, undefined, '1'])
  const submit = (from: string) =>
    api.fetch(action, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ from }) })
  assert.equal((await submit('x')).status, 400)
  assert.equal((await submit('2')).status, 404)
  const { status, headers } = await submit(value)
  assert.deepEqual([status, headers.get('location')], [303, `/runs/${runId}/tasks`])
  assert.equal(api.runs.find(runId)?.generation, 2)
  // its only step is of an earlier generation now, and the template's form is not shown
  assert.equal((await pageOf()).match(/run-rerun-form/g)?.length, 1)
  assert.match(await pageOf(), / hidden><button class="btn" name="from" value="-1">/)
  assert.equal((await submit(value)).status, 409)
})

test('who resumed a run is on record, and shown', async (t) => {
  const api = await startTestApi(t, { flags: { 'basic-auth': ['ada:secret-password'] } })
  const authorization = `Basic ${Buffer.from('ada:secret-password').toString('base64')}`
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const content = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await api.fetch(path, { method, headers, redirect: 'manual', ...content })
    return { status: response.status, text: await response.text() }
  }
  await ask('PUT', '/api/pipelines/p', { content: PIPELINE, content_type: 'ts' })
  const { text } = await ask('POST', '/api/pipelines/p/trigger')
  const { run_id: runId } = JSON.parse(text) as { run_id: string }
  api.claim()
  api.runs.finish({ runId, attempt: 1 }, FAILED, Date.now())
  assert.equal((await ask('POST', `/runs/${runId}/resume`)).status, 303)
  const run = JSON.parse((await ask('GET', `/api/runs/${runId}/status`)).text) as Record<
    string,
    unknown
  >
  assert.deepEqual([run['triggered_by'], run['restarted_by']], ['basic:ada', 'basic:ada'])
  assert.match(
    (await ask('GET', `/runs/${runId}/tasks`)).text,
    /<span>Restarted<\/span> <time[^>]*>[^<]*<\/time><span> by basic:ada<\/span>/,
  )
})

test('a resumed run waits for its group again; a retrigger is under the rule', async (t) => {
  const api = await startTestApi(t, { capacity: 5 })
  const id = await api.set('p', { concurrency_mode: 'serial' })
  const failed = await endedRun(api, id, FAILED)
  const next = await api.trigger(id)
  assert.deepEqual(api.claim(), [next])
  assert.equal((await post(api, failed, 'resume')).status, 200)
  const again = await post(api, failed, 'retrigger')
  assert.equal(again.status, 202)
  api.db.prepare('delete from run_cleanups').run()
  assert.deepEqual(api.claim(), [])
  const { body: waits } = await api.call('GET', `/api/runs/${failed}/status`)
  assert.deepEqual(waits['waiting'], { kind: 'group', group: `pipeline:${id}`, holder: next })
  assert.ok(api.runs.finish({ runId: next, attempt: 1 }, { status: 'success' }, Date.now()))
  api.db.prepare('delete from run_cleanups').run()
  assert.deepEqual(api.claim(), [failed])
  const held = api.db.prepare('select id from runs where held_group is not null').all()
  assert.deepEqual(held, [{ id: failed }])
})

test('a superseded run that is resumed and stopped is stopped by whoever did that', async (t) => {
  const api = await startTestApi(t, { capacity: 5 })
  const id = await api.set('p', {
    ...{ concurrency_mode: 'group', concurrency_group_template: 'x' },
    concurrency_cancel_running: true,
  })
  const first = await api.trigger(id)
  api.claim()
  const second = await api.trigger(id)
  const stopped = { status: 'failed', errorCode: 'stopped', errorMessage: 'stopped' } as const
  assert.ok(api.runs.finish({ runId: first, attempt: 1 }, stopped, Date.now()))
  assert.equal(api.runs.find(first)?.errorCode, 'superseded')
  assert.equal((await post(api, first, 'resume')).status, 200)
  api.db.prepare('delete from run_cleanups').run()
  assert.deepEqual(api.claim(), [first], 'it is the older one')
  assert.equal(api.runs.find(second)?.status, 'queued')
  assert.ok(api.runs.finish({ runId: first, attempt: 2 }, stopped, Date.now()))
  assert.equal(api.runs.find(first)?.errorCode, 'stopped')
})

test('a run whose group could not be named does not go on without one', async (t) => {
  const api = await startTestApi(t)
  const rule = { concurrency_mode: 'group', concurrency_group_template: '{{ printf "" }}' }
  const id = await api.set('p', rule)
  const runId = await api.trigger(id)
  assert.equal(api.runs.find(runId)?.errorCode, 'concurrency_group')
  const { status, body } = await post(api, runId, 'resume')
  assert.deepEqual([status, body['code']], [409, 'run_not_resumable'])
  assert.match(String(body['error']), /no concurrency group/)
  assert.equal(api.runs.find(runId)?.status, 'failed')
})
