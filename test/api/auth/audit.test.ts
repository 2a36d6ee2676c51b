import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PIPELINE, startTestApi, type TestApi } from '../../helpers/api.js'
import { startPeopleApi } from '../../helpers/people.js'
import { startSignInWorld } from '../../helpers/sign-in-world.js'
import { until } from '../../helpers/until.js'

interface Entry {
  id: number
  action: string
  outcome: string
  actor?: string
  pipeline_id?: string
  target?: string
  address?: string
  request_id?: string
  details?: Record<string, unknown>
}

const RIGHT = { authorization: `Basic ${Buffer.from('admin:secret').toString('base64')}` }
const FLAGS = { 'basic-auth': ['admin:secret'] }

async function entriesOf(api: TestApi, query = '', headers: Record<string, string> = RIGHT) {
  const { status, body } = await api.call('GET', `/api/audit${query}`, undefined, headers)
  assert.equal(status, 200)
  return body['items'] as Entry[]
}

/** Those of a change are there when its answer is; refusals come a moment later. */
const latest = async (api: TestApi, query = '') => (await entriesOf(api, query))[0]

test('every change is written down before its answer: who, what, to what, from where', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const call = (method: string, path: string, body?: unknown) =>
    api.call(method, path, body, { ...RIGHT, 'x-request-id': 'req-1' })
  const set = await call('PUT', '/api/pipelines/p', { content: PIPELINE, content_type: 'ts' })
  const id = String(set.body['id'])
  const first = await latest(api)
  assert.deepEqual(
    { ...first, id: 0, at: '' },
    {
      ...{ id: 0, at: '', action: 'pipeline.upsert', outcome: 'success', actor: 'basic:admin' },
      ...{ pipeline_id: id, address: '127.0.0.1', request_id: 'req-1', details: { name: 'p' } },
    },
  )
  const run = String((await call('POST', `/api/pipelines/${id}/trigger`)).body['run_id'])
  const share = await call('POST', `/api/runs/${run}/share`)
  const token = await call('POST', '/api/tokens', { name: 'bot', scopes: ['ci:read'] })
  const steps: [action: string, method: string, path: string, body?: unknown][] = [
    ['run.unshare', 'DELETE', `/api/runs/${run}/shares/${String(share.body['id'])}`],
    ['token.revoke', 'DELETE', `/api/tokens/${String(token.body['id'])}`],
    ['run.stop', 'POST', `/api/runs/${run}/stop`],
    ['run.resume', 'POST', `/api/runs/${run}/resume`],
    ['run.stop', 'POST', `/runs/${run}/stop`],
    ['run.retrigger', 'POST', `/api/runs/${run}/retrigger`],
    ['run.resume', 'POST', `/runs/${run}/resume`],
    ['pipeline.pause', 'POST', `/api/pipelines/${id}/pause`],
    ['pipeline.unpause', 'POST', `/pipelines/${id}/unpause`],
    ['run.share', 'POST', `/runs/${run}/share`],
    ['job.seed-passed', 'POST', `/api/pipelines/${id}/jobs/build/seed-passed`],
    ['pipeline.delete', 'DELETE', `/api/pipelines/${id}`],
  ]
  for (const [action, method, path, body] of steps) {
    const answer = await call(method, path, body)
    assert.ok(answer.status < 400, `${path} ${answer.status}`)
    assert.equal((await latest(api))?.action, action, path)
  }
})

test('entries are found by who, what, outcome, pipeline and time, in pages', async (t) => {
  let time = Date.parse('2026-11-24T10:00:00Z')
  const api = await startTestApi(t, { flags: FLAGS, deps: { now: () => time } })
  const call = (method: string, path: string, body?: unknown) => api.call(method, path, body, RIGHT)
  for (const name of ['a', 'b']) {
    await call('PUT', `/api/pipelines/${name}`, { content: PIPELINE, content_type: 'ts' })
    time += 3_600_000
  }
  await call('DELETE', '/api/pipelines/b')
  const actions = async (query: string) =>
    (await entriesOf(api, query)).map(({ action }) => action.replace('pipeline.', ''))
  assert.deepEqual(await actions(''), ['delete', 'upsert', 'upsert'])
  assert.deepEqual(await actions('?action=pipeline.delete'), ['delete'])
  assert.deepEqual(await actions('?pipeline=a'), ['upsert'])
  assert.deepEqual(await actions('?actor=nobody'), [])
  assert.deepEqual(await actions('?outcome=denied'), [])
  assert.deepEqual(await actions('?since=2026-11-24T11:00:00Z&until=2026-11-24T12:00:00Z'), [
    'upsert',
  ])
  assert.deepEqual(await actions('?per_page=1&page=2'), ['upsert'])
  for (const query of ['?outcome=x', '?since=yesterday', '?until=1'])
    assert.equal((await call('GET', `/api/audit${query}`)).status, 400, query)
})

test('the export is a line of JSON an entry, oldest first, of more than is read at once', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const add = api.db.prepare(
    "insert into audit_log (at, actor, action, outcome) values (?, 'x', 'test', 'success')",
  )
  for (let at = 0; at < 1_200; at++) add.run(at)
  const response = await api.fetch('/api/audit/export', { headers: RIGHT })
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson')
  const lines = (await response.text()).trimEnd().split('\n')
  const ids = lines.map((line) => (JSON.parse(line) as Entry).id)
  assert.equal(ids.length, 1_200)
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  )
})

test('nothing in it can be changed, and what is old or too much goes', async (t) => {
  let time = 1_800_000_000_000
  const api = await startTestApi(t, {
    flags: { ...FLAGS, 'audit-retention': ['1h'] },
    deps: { now: () => time },
  })
  const pause = () => api.call('POST', '/api/pipelines/p/pause', undefined, RIGHT)
  await api.call('PUT', '/api/pipelines/p', { content: PIPELINE, content_type: 'ts' }, RIGHT)
  assert.throws(() => api.db.prepare("update audit_log set actor = 'x'").run(), /append-only/)
  time += 3_600_001
  for (let at = 0; at < 100; at++) await pause()
  assert.equal((await entriesOf(api, '?action=pipeline.upsert')).length, 0)
  assert.ok((await entriesOf(api, '?per_page=200')).length >= 99)
})

test('refusals are written down, a flood of them is not', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  const { body } = await api.call(
    'POST',
    '/api/tokens',
    { name: 'bot', scopes: ['ci:read'] },
    RIGHT,
  )
  const bot = { authorization: `Bearer ${String(body['token'])}` }
  await api.call('DELETE', '/api/pipelines/p', undefined, bot)
  const denied = await until('the refusal is there', () => latest(api, '?outcome=denied'))
  assert.deepEqual(
    [denied.action, denied.actor, denied.target],
    ['pipeline.delete', 'basic:admin', 'p'],
  )
  await api.call('GET', '/api/pipelines', undefined, { authorization: 'Bearer nonsense' })
  await until('the bad token is there', () => latest(api, '?action=auth.login&outcome=denied'))
  for (let at = 0; at < 50; at++) await api.call('DELETE', '/api/pipelines/p', undefined, bot)
  // writes keep their order: what was refused before this one is there when it is
  await api.call('POST', '/api/tokens', { name: 'last', scopes: ['ci:read'] }, RIGHT)
  assert.equal((await entriesOf(api, '?outcome=denied&per_page=200')).length, 20)
})

test('sign-ins are written down', async (t) => {
  const { api, browser, signIn } = await startSignInWorld(t, 'github')
  await browser.open(`${api.url}/auth/github/callback?code=x&state=y`)
  await signIn()
  const { text } = await browser.open(`${api.url}/api/audit`)
  const [entry] = (JSON.parse(text) as { items: Entry[] }).items
  assert.deepEqual(
    [entry?.action, entry?.outcome, entry?.actor],
    ['auth.login', 'success', 'github:octo@example.com'],
  )
  await until('the failure is there', () =>
    api.db
      .prepare("select 1 from audit_log where action = 'auth.login' and outcome = 'denied'")
      .get(),
  )
})

test('people read what they did and what was done to pipelines that are open to them', async (t) => {
  const { api, member, stranger, auditor, closed } = await startClosed(t)
  const seen = async (as: Record<string, string>) =>
    (await entriesOf(api, '', as)).map(({ action, pipeline_id: id = '' }) => `${action} ${id}`)
  assert.deepEqual(await seen(member), [
    `pipeline.rbac.update ${closed}`,
    `pipeline.upsert ${closed}`,
  ])
  assert.deepEqual(await seen(stranger), ['token.create '])
  assert.equal((await seen(auditor)).length, 3)
  await api.as(stranger, 'DELETE', '/api/pipelines/closed')
  await until('who was refused is to be seen by those inside', async () =>
    (await seen(member)).includes(`pipeline.delete ${closed}`),
  )
  // gone, it stays under the rule that it had
  await api.as(member, 'DELETE', `/api/pipelines/${closed}`)
  assert.deepEqual(await seen(stranger), [`pipeline.delete ${closed}`, 'token.create '])
  assert.equal(
    (await seen(member)).filter((entry) => entry === `pipeline.delete ${closed}`).length,
    2,
  )
  const rule = (await entriesOf(api, '?action=pipeline.rbac.update', auditor))[0]
  assert.deepEqual(rule?.details, { from: '', to: '"acme" in Organizations' })
})

async function startClosed(t: TestContext) {
  const api = await startPeopleApi(t, { flags: { 'audit-rbac': ['Email == "auditor@x"'] } })
  const member = api.add({ email: 'member@x', organizations: ['acme'] })
  const stranger = api.add({ email: 'stranger@x' })
  const auditor = api.add({ email: 'auditor@x' })
  const body = { content: PIPELINE, content_type: 'ts', rbac_expression: '"acme" in Organizations' }
  const set = await api.as(member, 'PUT', '/api/pipelines/closed', body)
  await api.as(stranger, 'POST', '/api/tokens', { name: 'mine', scopes: ['ci:read'] })
  return { api, member, stranger, auditor, closed: String(set.body['id']) }
}
