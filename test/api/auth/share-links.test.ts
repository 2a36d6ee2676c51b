import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../../helpers/api.js'

test('a link shows its run to a stranger, with its output and nothing that leads further', async (t) => {
  const { api, runId } = await startWithRun(t)
  api.print(runId, 1, 'hello\n')
  const path = await share(api, runId)
  const html = await open(api, path)
  assert.match(html, /data-readonly="true"/)
  assert.match(html, /compile[\s\S]*hello/)
  assert.doesNotMatch(html, /<form|<script|\/api\/|\/runs\//)
  const logs = path.replace(/tasks$/, 'logs')
  assert.equal(await (await api.fetch(`${logs}?step=1`)).text(), 'hello\n')
})

test('a link is masked: all secrets of its pipeline, also cut in two, and inputs that look like secrets', async (t) => {
  const { api, runId } = await startWithRun(t, [
    '--token=abcdef',
    '--password',
    'hunter2',
    'PLAIN=1',
  ])
  api.print(runId, 1, 'say SESAME-OP')
  api.print(runId, 1, 'to stderr SESAME', 'stderr')
  api.print(runId, 1, 'EN-NOW\n')
  api.runs.finish(
    { runId, attempt: 1 },
    { status: 'failed', errorCode: 'x', errorMessage: 'no SESAME-OPEN-NOW' },
    Date.now(),
  )
  const path = await share(api, runId)
  const html = await open(api, path)
  assert.doesNotMatch(html, /SESAME-OP|EN-NOW|abcdef|hunter2/)
  assert.match(html, /PLAIN=1/)
  assert.match(html, /--token=\*\*\*REDACTED\*\*\*/)
  const logs = await (await api.fetch(`${path.replace(/tasks$/, 'logs')}?step=1`)).text()
  assert.equal(logs, 'say to stderr ***REDACTED***\nSESAME')
})

test('the beginning of a long output does not end inside a secret', async (t) => {
  const { api, runId } = await startWithRun(t)
  api.print(runId, 1, `${'x'.repeat(16_384 - 6)}SESAME-OPEN-NOW${'y'.repeat(100)}`)
  const html = await open(api, await share(api, runId))
  assert.match(html, /x{1000}/)
  assert.doesNotMatch(html, /SESAME/)
})

test('links are rows: listed without their token, revoked one by one, and over at their time', async (t) => {
  let time = 1_800_000_000_000
  const { api, runId } = await startWithRun(t, [], () => time)
  const first = await api.call('POST', `/api/runs/${runId}/share`, { expires_in: '1h' })
  const second = await api.call('POST', `/api/runs/${runId}/share`)
  assert.equal(first.body['expires_at'], new Date(time + 3_600_000).toISOString())
  assert.equal(second.body['expires_at'], new Date(time + 30 * 86_400_000).toISOString())
  const paths = [first, second].map(({ body }) => String(body['share_path']))
  const listed = await api.call('GET', `/api/runs/${runId}/shares`)
  assert.deepEqual(
    (listed.body['items'] as { id: string }[]).map(({ id }) => id),
    [second.body['id'], first.body['id']],
  )
  assert.doesNotMatch(JSON.stringify(listed.body), /share_path/)
  const stored = JSON.stringify(api.db.prepare('select * from share_links').all())
  for (const path of paths) assert.ok(!stored.includes(path.split('/')[2] ?? ''))

  time += 3_600_000
  assert.deepEqual(await statuses(api, paths), [404, 200])
  const revoked = `/api/runs/${runId}/shares/${String(second.body['id'])}`
  assert.equal((await api.call('DELETE', revoked)).status, 204)
  assert.deepEqual(await statuses(api, paths), [404, 404])
  const again = await api.call('DELETE', revoked)
  assert.deepEqual([again.status, again.body['code']], [404, 'share_not_found'])
})

test('a link goes with its run, no log line has it, and nobody makes them without end', async (t) => {
  const { api, runId, pipelineId } = await startWithRun(t)
  const path = await share(api, runId)
  await open(api, path)
  assert.doesNotMatch(api.logLines().join(''), new RegExp(path.split('/')[2] ?? 'x'))
  for (let at = 1; at < 100; at++) await share(api, runId)
  const refused = await api.call('POST', `/api/runs/${runId}/share`)
  assert.deepEqual([refused.status, refused.body['code']], [409, 'share_limit'])
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  assert.equal((await api.call('DELETE', `/api/pipelines/${pipelineId}`)).status, 204)
  assert.deepEqual(await statuses(api, [path]), [404])
})

test('what is no duration, and runs that are not there, are refused', async (t) => {
  const { api, runId } = await startWithRun(t)
  for (const expires of ['soon', '0s', '-1h', '8761h', '1'])
    assert.equal(
      (await api.call('POST', `/api/runs/${runId}/share`, { expires_in: expires })).status,
      400,
      expires,
    )
  const missing = await api.call('POST', '/api/runs/none/share')
  assert.deepEqual([missing.status, missing.body['message']], [404, 'run not found'])
  assert.equal((await api.call('GET', '/api/runs/none/shares')).status, 404)
})

test('the button on a run page works without script', async (t) => {
  const { api, runId } = await startWithRun(t)
  const { status, headers } = await api.call('POST', `/runs/${runId}/share`)
  assert.equal(status, 303)
  assert.match(await open(api, headers.get('location') ?? ''), /data-readonly/)
})

/** A run with one step, under way, of a pipeline with a secret. */
async function startWithRun(
  t: Parameters<typeof startTestApi>[0],
  args: string[] = [],
  now: () => number = Date.now,
): Promise<{ api: TestApi; runId: string; pipelineId: string }> {
  const api = await startTestApi(t, { deps: { now } })
  const pipelineId = await api.set('p', { secrets: { PHRASE: 'SESAME-OPEN-NOW' } })
  const { body } = await api.call('POST', `/api/pipelines/${pipelineId}/trigger`, {
    mode: 'args',
    args,
  })
  const runId = String(body['run_id'])
  api.claim()
  const step = { step: 1, path: `/pipeline/${runId}/tasks/0`, name: 'compile' }
  api.tasks.insert({ runId, attempt: 1 }, step)
  return { api, runId, pipelineId }
}

async function share(api: TestApi, runId: string): Promise<string> {
  const { status, body } = await api.call('POST', `/api/runs/${runId}/share`)
  assert.equal(status, 200)
  return String(body['share_path'])
}

async function open(api: TestApi, path: string): Promise<string> {
  const response = await api.fetch(path)
  assert.equal(response.status, 200, path)
  return response.text()
}

function statuses(api: TestApi, paths: string[]): Promise<number[]> {
  return Promise.all(paths.map(async (path) => (await api.call('GET', path)).status))
}
