import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startSignInWorld } from '../helpers/sign-in-world.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/until.js'
import { call, runWithWorkdir } from '../helpers/wire-client.js'

/** The rows of the compatibility list for other clients, each as one of them sends it. */

let server: TestServer
const cleanups: (() => unknown)[] = []
before(async () => {
  server = await startServer(
    { after: (clean) => cleanups.push(clean as () => unknown) },
    { args: ['--max-in-flight=1', '--max-queue-size=1'] },
  )
})
after(async () => {
  for (const clean of cleanups.toReversed()) await clean()
})

const get = (path: string) => call({ method: 'GET', url: server.url + path })
const post = (path: string, json?: unknown) =>
  call({ method: 'POST', url: server.url + path, json })

async function set(name: string, content: string): Promise<string> {
  const url = `${server.url}/api/pipelines/${name}`
  const { status, body } = await call({ method: 'PUT', url, json: asTheClientSends(content) })
  assert.equal(status, 200, body)
  const pipeline = JSON.parse(body)
  assert.equal(pipeline.name, name)
  return pipeline.id
}

/** All fields, the empty ones as well. */
function asTheClientSends(content: string) {
  return {
    content,
    content_type: 'ts',
    driver: '',
    webhook_secret: '',
    secrets: {},
    resume_enabled: false,
  }
}

const FAST = "export const pipeline = async () => { console.log('hi') }"
const SLOW = `export const pipeline = async () => {
  await runtime.run({ name: 'sleep', image: 'busybox', command: { path: 'sleep', args: ['60'] } })
}`
/** What the client takes for a time. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

test('list pipelines: 200, items with id, name, paused, created_at', async () => {
  const id = await set('listed', FAST)
  const { status, body } = await get('/api/pipelines')
  assert.equal(status, 200)
  const item = JSON.parse(body).items.find((one: { id: string }) => one.id === id)
  assert.equal(item.name, 'listed')
  assert.equal(item.paused, false)
  assert.match(item.created_at, TIME)
  assert.equal(typeof item.driver, 'string')
})

test('get pipeline: 200 in API form, or 404', async () => {
  const id = await set('got', FAST)
  const { status, body } = await get(`/api/pipelines/${id}`)
  assert.equal(status, 200)
  const pipeline = JSON.parse(body)
  assert.equal(pipeline.content, FAST)
  assert.equal(pipeline.content_type, 'ts')
  assert.equal(pipeline.resume_enabled, false)
  assert.match(pipeline.updated_at, TIME)
  const missing = await get('/api/pipelines/none')
  assert.equal(missing.status, 404)
  assert.equal(JSON.parse(missing.body).error, 'pipeline not found')
})

test('set pipeline: errors are JSON with string values only', async () => {
  const url = `${server.url}/api/pipelines/broken`
  for (const json of [asTheClientSends(''), asTheClientSends('const ='), { content: 1 }, []]) {
    const { status, body } = await call({ method: 'PUT', url, json })
    assert.equal(status, 400, body)
    const values = Object.values(JSON.parse(body))
    assert.ok(values.length > 0 && values.every((value) => typeof value === 'string'), body)
  }
})

test('delete: 204 with an empty body', async () => {
  const id = await set('deleted', FAST)
  const { status, body } = await call({
    method: 'DELETE',
    url: `${server.url}/api/pipelines/${id}`,
  })
  assert.deepEqual([status, body], [204, ''])
})

test('pause and unpause: 200; a paused pipeline answers a trigger with 409', async () => {
  const id = await set('paused', FAST)
  assert.equal((await post(`/api/pipelines/${id}/pause`)).status, 200)
  assert.equal((await post(`/api/pipelines/${id}/trigger`, {})).status, 409)
  assert.equal((await post('/api/pipelines/paused/run', { args: [] })).status, 409)
  assert.equal((await post(`/api/pipelines/${id}/unpause`)).status, 200)
  assert.equal((await post('/api/pipelines/none/pause')).status, 404)
})

test('seed passed: 200 with job, run_id, message; 404', async () => {
  const id = await set('seeded', FAST)
  const { status, body } = await post(`/api/pipelines/${id}/jobs/unit%20tests/seed-passed`)
  assert.equal(status, 200, body)
  const seeded = JSON.parse(body)
  assert.equal(seeded.pipeline_id, id)
  assert.equal(seeded.job, 'unit tests')
  assert.equal(seeded.message, 'job passed status seeded successfully')
  const run = JSON.parse((await get(`/api/runs/${seeded.run_id}/status`)).body)
  assert.deepEqual([run.status, run.trigger_type, run.trigger_input], ['success', 'seed', {}])
  const [task] = JSON.parse((await get(`/api/runs/${seeded.run_id}/tasks`)).body)
  assert.equal(task.path, `/pipeline/${seeded.run_id}/jobs/unit tests`)
  assert.deepEqual([task.payload.status, task.payload.seeded], ['success', true])
  assert.equal((await post('/api/pipelines/none/jobs/build/seed-passed')).status, 404)
})

test('trigger: 202, run status: 200, run tasks: a bare array, stop: 200', async () => {
  const id = await set('slow', SLOW)
  const { status, body } = await post(`/api/pipelines/${id}/trigger`, {})
  assert.equal(status, 202)
  const { run_id: runId, message, ...triggered } = JSON.parse(body)
  assert.equal(triggered.status, 'queued')
  assert.equal(typeof message, 'string')

  await until('the step runs', async () => {
    const tasks = JSON.parse((await get(`/api/runs/${runId}/tasks`)).body)
    return tasks.some((task: { payload: { status: string } }) => task.payload.status === 'running')
  })
  const run = await get(`/api/runs/${runId}/status`)
  assert.equal(run.status, 200)
  assert.equal(JSON.parse(run.body).status, 'running')

  // one runs, one waits, the third is too many
  const waiting = JSON.parse((await post(`/api/pipelines/${id}/trigger`, {})).body)
  const refused = await post(`/api/pipelines/${id}/trigger`, {})
  assert.equal(refused.status, 429)
  assert.match(refused.headers['retry-after'] ?? '', /^\d+$/)
  assert.equal(JSON.parse(refused.body).max_queue_size, 1)

  for (const stopped of [waiting.run_id, runId]) {
    const answer = await post(`/api/runs/${stopped}/stop`)
    assert.equal(answer.status, 200, answer.body)
    assert.equal(JSON.parse(answer.body).run_id, stopped)
  }
  await until('the run has ended', async () => {
    const { status: now } = JSON.parse((await get(`/api/runs/${runId}/status`)).body)
    return now === 'failed'
  })
})

test('unknown runs and pipelines: 404', async () => {
  for (const path of ['/api/runs/none/status', '/api/runs/none/tasks'])
    assert.equal((await get(path)).status, 404, path)
  assert.equal((await post('/api/runs/none/stop')).status, 404)
  assert.equal((await post('/api/pipelines/none/trigger', {})).status, 404)
  assert.equal((await post('/api/pipelines/none/run', {})).status, 404)
})

test('run: 200 server-sent events with the working directory in a volume, and one exit event last', async () => {
  await set(
    'workdir',
    `export const pipeline = async () => {
      const workdir = await volumes.create({ name: 'workdir' })
      await runtime.run({
        name: 'show', image: 'busybox', mounts: { workdir },
        command: { path: 'sh', args: ['-c', 'cat workdir/a.txt workdir/dir/b.txt; ls workdir; echo oops >&2'] },
      })
      console.log(pipelineContext.args.join('+'))
    }`,
  )
  const answer = await runWithWorkdir(
    `${server.url}/api/pipelines/workdir/run`,
    ['x y', '--z'],
    [
      { name: 'a.txt', content: 'from a\n' },
      { name: 'dir' },
      { name: 'dir/b.txt', content: 'from b ✓\n' },
      { name: 'empty' },
    ],
  )
  assert.equal(answer.status, 200, answer.body)
  assert.match(String(answer.headers['content-type']), /^text\/event-stream/)
  assert.equal(answer.headers['cache-control'], 'no-cache')
  const output = (stream: string): string =>
    answer.events
      .filter((event) => event['stream'] === stream)
      .map((event) => event['data'])
      .join('')
  assert.equal(output('stdout'), 'from a\nfrom b ✓\na.txt\ndir\nempty\nx y+--z\n')
  assert.equal(output('stderr'), 'oops\n')
  const last = answer.events.at(-1)
  assert.deepEqual(
    answer.events.filter((event) => 'event' in event),
    [last],
  )
  assert.equal(last?.['event'], 'exit')
  assert.equal(last?.['code'], 0)
  assert.match(String(last?.['run_id']), /^[\w-]{21}$/)
})

test('run: args may be null, and a run that fails exits with 1 and a message', async () => {
  await set('fails', "export const pipeline = async () => { throw new Error('no luck') }")
  const answer = await runWithWorkdir(`${server.url}/api/pipelines/fails/run`, null, [])
  assert.equal(answer.status, 200, answer.body)
  const last = answer.events.at(-1)
  assert.equal(last?.['code'], 1)
  assert.match(String(last?.['message']), /no luck/)
})

test('schedules: a bare array; toggle: 200, 404', async () => {
  const id = await set(
    'timed',
    `export const schedules = { nightly: { cron: '0 3 * * *', jobs: ['build'] } }\n${FAST}`,
  )
  const { status, body } = await get(`/api/pipelines/${id}/schedules`)
  assert.equal(status, 200)
  const [schedule, ...others] = JSON.parse(body)
  assert.equal(others.length, 0)
  assert.equal(schedule.pipeline_id, id)
  const { name, schedule_type: type, schedule_expr: expr, job_name: job, enabled } = schedule
  assert.deepEqual(
    [name, type, expr, job, enabled],
    ['nightly', 'cron', '0 3 * * *', 'build', true],
  )
  for (const time of ['next_run_at', 'created_at', 'updated_at']) assert.match(schedule[time], TIME)
  const put = (schedule_id: string, json: object) =>
    call({ method: 'PUT', url: `${server.url}/api/schedules/${schedule_id}/enabled`, json })
  const toggled = await put(schedule.id, { enabled: false })
  assert.deepEqual([toggled.status, JSON.parse(toggled.body)], [200, { status: 'ok' }])
  const [paused] = JSON.parse((await get(`/api/pipelines/${id}/schedules`)).body)
  assert.equal(paused.enabled, false)
  assert.equal(JSON.parse((await put('none', { enabled: true })).body).error, 'schedule not found')
  assert.equal((await get('/api/pipelines/none/schedules')).status, 404)
})

test('gates: a bare array, approve and reject: 200 with the gate, 404, 409', async () => {
  const id = await set(
    'gated',
    "export const pipeline = async () => { await orchestration.gate('deploy') }",
  )
  const { run_id: runId } = JSON.parse((await post(`/api/pipelines/${id}/trigger`, {})).body)
  const gate = await until('there is a gate', async () => {
    const { status, body } = await get(`/api/runs/${runId}/gates`)
    assert.equal(status, 200)
    return JSON.parse(body)[0]
  })
  assert.equal(gate.run_id, runId)
  assert.equal(gate.pipeline_id, id)
  assert.deepEqual([gate.name, gate.status, gate.message], ['deploy', 'pending', ''])
  assert.equal(gate.approved_by, '')
  assert.match(gate.created_at, TIME)

  const approved = await post(`/api/gates/${gate.id}/approve`)
  assert.equal(approved.status, 200)
  const { status, resolved_at: resolvedAt, approved_by: by } = JSON.parse(approved.body)
  assert.deepEqual([status, by], ['approved', 'unknown'])
  assert.match(resolvedAt, TIME)
  assert.equal((await post(`/api/gates/${gate.id}/reject`)).status, 409)
  assert.equal((await post('/api/gates/none/approve')).status, 404)
  assert.equal((await get('/api/runs/none/gates')).status, 404)
})

test('share: 200 with a share_path that opens without anything else; an unknown run is 404', async () => {
  const id = await set('shared', FAST)
  const { run_id: runId } = JSON.parse((await post(`/api/pipelines/${id}/trigger`, {})).body)
  const { status, body } = await post(`/api/runs/${runId}/share`)
  assert.equal(status, 200)
  const { share_path: path } = JSON.parse(body)
  assert.match(path, /^\/share\/[^/]+\/tasks$/)
  const shown = await get(path)
  assert.deepEqual([shown.status, shown.headers['content-type']], [200, 'text/html; charset=UTF-8'])
  const missing = await post('/api/runs/none/share')
  assert.deepEqual([missing.status, JSON.parse(missing.body).message], [404, 'run not found'])
  const unknown = await get('/share/none/tasks')
  assert.deepEqual([unknown.status, JSON.parse(unknown.body).message], [404, 'not found'])
})

test('device flow: begin 200 with code and login_url, poll 202, then 200 with a token; 404', async (t) => {
  const { api, browser, signIn } = await startSignInWorld(t, 'github')
  const begun = await call({ method: 'POST', url: `${api.url}/auth/cli/begin` })
  assert.equal(begun.status, 200)
  const { code, login_url: loginUrl } = JSON.parse(begun.body)
  assert.match(code, /^[0-9a-f]{32}$/)
  assert.equal(loginUrl, `${api.url}/auth/cli/approve?code=${code}`)
  const poll = () => call({ method: 'GET', url: `${api.url}/auth/cli/poll?code=${code}` })
  const pending = await poll()
  assert.deepEqual([pending.status, JSON.parse(pending.body)], [202, { status: 'pending' }])
  await signIn()
  const body = new URLSearchParams({ code })
  await browser.open(`${api.url}/auth/cli/approve`, { method: 'POST', body })
  const approved = await poll()
  assert.equal(approved.status, 200)
  assert.match(JSON.parse(approved.body).token, /^ey[\w-]+\.[\w-]+\.[\w-]+$/)
  const again = await poll()
  assert.deepEqual([again.status, JSON.parse(again.body).error], [404, 'unknown code'])
})

test('drivers and features: arrays of strings', async () => {
  for (const [path, key] of [
    ['/api/drivers', 'drivers'],
    ['/api/features', 'features'],
  ] as const) {
    const { status, body } = await get(path)
    assert.equal(status, 200)
    const names = JSON.parse(body)[key]
    assert.ok(names.length > 0 && names.every((name: unknown) => typeof name === 'string'), body)
  }
})
