import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createWebhookDeliveries } from '../../../src/shared/db/webhook-deliveries.js'
import type { ProviderName } from '../../../src/api/webhooks/providers.js'
import { startTestApi, type TestApi, type TestApiOptions } from '../../helpers/api.js'
import { until } from '../../helpers/until.js'
import { hmac, sign } from '../../helpers/webhooks.js'

const SECRET = 'hush'
const BODY = JSON.stringify({ ref: 'refs/heads/main' })
const RESPONDS = "export const pipeline = async () => { http.respond({ body: 'hi' }) }"

async function start(
  t: TestContext,
  options: TestApiOptions = {},
  settings: Record<string, unknown> = {},
) {
  const api = await startTestApi(t, options)
  const id = await api.set('p', { webhook_secret: SECRET, ...settings })
  const send = async (
    headers: Record<string, string> = sign('github', SECRET, BODY),
    { body = BODY, to = id, query = '' }: { body?: BodyInit; to?: string; query?: string } = {},
  ) => {
    const path = `/api/webhooks/${to}${query}`
    const response = await api.fetch(path, { method: 'POST', headers, body })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    return {
      ...{ status: response.status, headers: response.headers },
      body: (isJson ? JSON.parse(text) : { text }) as Record<string, unknown>,
    }
  }
  return { api, id, send, list: () => list(api, id) }
}

async function list(api: TestApi, id: string) {
  const { body } = await api.call('GET', `/api/pipelines/${id}/deliveries?per_page=200`)
  return body['items'] as Record<string, unknown>[]
}

const github = (delivery: string, body = BODY): Record<string, string> => ({
  ...sign('github', SECRET, body),
  'X-GitHub-Delivery': delivery,
})

test('a signed webhook starts a run; what lets somebody in is masked wherever it is shown', async (t) => {
  const { api, id, send, list } = await start(t)
  const headers = { ...github('72d3'), Authorization: 'Bearer x', 'Content-Type': 'text/odd' }
  const { status, body } = await send(headers, { query: '?a=1&a=2&Access_Token=b%20c' })
  assert.equal(status, 202)
  assert.deepEqual(
    { ...body, run_id: '', delivery_id: '' },
    {
      ...{ run_id: '', pipeline_id: id, delivery_id: '', status: 'queued' },
      message: 'pipeline execution started',
    },
  )
  const run = (await api.call('GET', `/api/runs/${String(body['run_id'])}/status`)).body
  assert.deepEqual([run['trigger_type'], run['triggered_by']], ['webhook', 'github:push'])
  const { webhook } = run['trigger_input'] as { webhook: Record<string, unknown> }
  const shown = webhook['headers'] as Record<string, string>
  assert.equal(shown['X-Github-Delivery'], '72d3')
  assert.equal(shown['X-Hub-Signature-256'], '***')
  assert.equal(shown['Authorization'], '***')
  assert.equal(shown['Host'], undefined)
  assert.equal(webhook['url'], `/api/webhooks/${id}?a=1&a=2&Access_Token=***`)
  assert.deepEqual(webhook['query'], { a: '1', Access_Token: '***' })

  const [delivery] = await list()
  assert.deepEqual(
    [delivery?.['id'], delivery?.['outcome'], delivery?.['run_id'], delivery?.['body_bytes']],
    [body['delivery_id'], 'accepted', body['run_id'], BODY.length],
  )
  const stored = await api.fetch(`/api/pipelines/p/deliveries/${String(delivery?.['id'])}/body`)
  assert.equal(await stored.text(), BODY)
  const everything = JSON.stringify([run, delivery, api.logLines()])
  for (const secret of [SECRET, 'Bearer x', 'b%20c', hmac(SECRET, BODY)])
    assert.ok(!everything.includes(secret), secret)
})

test('whoever does not sign as the pipeline wants is told nothing, and is on record', async (t) => {
  const { api, id, send, list } = await start(t, {}, { webhook_provider: 'github' })
  const bare = await api.set('bare')
  const good = sign('github', SECRET, BODY)
  const answers = [
    await send(sign('github', 'wrong', BODY)),
    await send({ 'X-GitHub-Event': 'push' }),
    await send(sign('generic', SECRET, BODY)),
    await send(good, { body: `${BODY} ` }),
    await send(good, { to: bare }),
    await send(good, { to: 'nowhere' }),
    await send(good, { to: 'p' }),
  ]
  for (const { status, body } of answers) {
    assert.equal(status, 401)
    assert.equal(body['error'], 'webhook signature validation failed')
    assert.equal(body['code'], 'signature_invalid')
  }
  assert.equal(
    new Set(answers.map(({ body }) => JSON.stringify({ ...body, request_id: '' }))).size,
    1,
  )
  const refused = await list()
  assert.deepEqual(
    refused.map(({ outcome, reason, has_body }) => [outcome, reason, has_body]),
    Array.from({ length: 4 }, () => ['refused', 'signature_invalid', false]),
  )
  assert.deepEqual(
    refused.map(({ body_bytes: bytes }) => bytes),
    [BODY.length + 1, BODY.length, BODY.length, BODY.length],
  )
  assert.equal(api.runs.countQueued(10), 0)
  const entries = await until('all are in the audit log', async () => {
    const { body } = await api.call('GET', '/api/audit?action=webhook.receive&outcome=denied')
    const found = body['items'] as Record<string, unknown>[]
    return found.length === answers.length ? found : undefined
  })
  assert.deepEqual(entries[0]?.['target'], 'p')
  assert.deepEqual(entries.at(-1)?.['pipeline_id'], id)
  await api.call('POST', `/api/pipelines/${id}/pause`)
  assert.equal((await send(sign('github', 'wrong', BODY))).status, 401, 'not that it is paused')
  const paused = await send()
  assert.deepEqual([paused.status, paused.body['code']], [409, 'pipeline_paused'])
  for (let n = 0; n < 110; n++) await send({ 'X-GitHub-Event': 'push' })
  assert.ok((await list()).length <= 101, 'nobody fills the disk with them')
})

test('unsigned webhooks are let in where the server says so, never those of honeybadger', async (t) => {
  const flags = { 'allow-unsigned-webhooks': ['true'] }
  const { send, api } = await start(t, { flags })
  const bare = await api.set('bare')
  assert.equal((await send({}, { to: bare })).status, 202)
  assert.equal((await send({ 'Honeybadger-Token': 'x' }, { to: bare })).status, 401)
  assert.equal((await send({})).status, 401, 'a secret counts where there is one')
})

test('every provider starts runs with its own signature', async (t) => {
  const { send, list } = await start(t, { capacity: 20 })
  const names: ProviderName[] = ['github', 'gitlab', 'bitbucket', 'honeybadger', 'slack']
  names.push('stripe', 'pagerduty', 'linear', 'sentry', 'generic')
  for (const name of names) assert.equal((await send(sign(name, SECRET, BODY))).status, 202, name)
  assert.deepEqual((await list()).map(({ provider }) => provider).toReversed(), names)
})

test('the secret is set, kept, changed and taken away, and shown nowhere', async (t) => {
  const { api, send } = await start(t)
  const answer = async (more: Record<string, unknown>) => {
    const content = 'export const pipeline = async () => {}'
    return await api.call('PUT', '/api/pipelines/p', { content, ...more })
  }
  assert.equal((await answer({})).status, 200)
  assert.equal((await send()).status, 202)
  const changed = await answer({ webhook_secret: 'other', secrets: { A: 'abcdefgh' } })
  assert.ok(!JSON.stringify(changed.body).includes('other'))
  assert.equal((await send(sign('github', 'other', BODY))).status, 202)
  assert.equal((await send()).status, 202, 'the old one counts for a day')
  await answer({ webhook_secret: 'other' })
  assert.equal((await send()).status, 202, 'a set of the same changes nothing')
  api.db
    .prepare("update secrets set updated_at = updated_at - 86400000 where key like '%previous'")
    .run()
  assert.equal((await send()).status, 401)
  await answer({ webhook_secret: 'third' })
  assert.equal((await send(sign('github', 'other', BODY))).status, 202)
  assert.equal((await send()).status, 401, 'not the one before that')
  await answer({ webhook_secret: '' })
  assert.equal((await send(sign('github', 'other', BODY))).status, 401)
  const stored = api.db.prepare('select hex(encrypted_value) from secrets').pluck().all()
  assert.ok(!stored.join().includes(Buffer.from('other').toString('hex').toUpperCase()))
  assert.equal((await answer({ secrets: { A: 'abcdefgh' } })).status, 200, 'they are no keys of it')
  assert.equal((await answer({ webhook_provider: 'nobody' })).status, 400)
  assert.equal((await answer({ secrets: { webhook_secret: 'x' } })).status, 400)
})

test('webhooks need no password, and what was sent is shown to nobody without it', async (t) => {
  const api = await startTestApi(t, { flags: { 'basic-auth': ['admin:secret'] } })
  const authorization = `Basic ${Buffer.from('admin:secret').toString('base64')}`
  const set = await api.fetch('/api/pipelines/p', {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ content: RESPONDS, webhook_secret: SECRET }),
  })
  const { id } = (await set.json()) as { id: string }
  const headers = { ...sign('github', SECRET, BODY), origin: 'https://github.com' }
  api.db.prepare('delete from executors').run()
  const sent = await api.fetch(`/api/webhooks/${id}`, { method: 'POST', headers, body: BODY })
  assert.equal(sent.status, 202)
  const { delivery_id: delivery } = (await sent.json()) as { delivery_id: string }
  const path = `/pipelines/${id}/deliveries`
  for (const [method, where] of [
    ['GET', `/api${path}`],
    ['GET', `/api${path}/${delivery}`],
    ['GET', `/api${path}/${delivery}/body`],
    ['POST', `/api${path}/${delivery}/redeliver`],
    ['POST', `${path}/${delivery}/redeliver`],
    ['GET', path],
  ] as const)
    assert.equal((await api.call(method, where)).status, 401, where)
})

test('a delivery that is sent again starts nothing, however many come at once', async (t) => {
  const { api, send, list } = await start(t)
  const answers = await Promise.all(Array.from({ length: 30 }, () => send(github('one'))))
  const runs = new Set(answers.map(({ body }) => body['run_id']))
  assert.equal(runs.size, 1)
  assert.ok(answers.every(({ status }) => status === 202))
  assert.equal(api.runs.countQueued(100), 1)
  const outcomes = (await list()).map(({ outcome }) => outcome)
  assert.equal(outcomes.filter((outcome) => outcome === 'accepted').length, 1)
  assert.equal(outcomes.filter((outcome) => outcome === 'duplicate').length, 29)
  assert.equal((await send(github('two'))).body['message'], 'pipeline execution started')

  const [runId = ''] = [...runs].map(String)
  api.runs.failQueued(runId, '', { code: 'executor_lost', message: 'x' }, Date.now())
  const again = await send(github('one'))
  assert.notEqual(again.body['run_id'], runId, 'it was not the pipeline that failed')
})

test('a full queue keeps webhooks and starts their runs in order; beyond that it refuses them', async (t) => {
  const flags = { 'max-queue-size': ['1'], 'max-deferred-webhooks': ['2'] }
  const { api, send, list } = await start(t, { capacity: 1, flags })
  const first = [await send(github('a')), await send(github('b'))]
  assert.deepEqual(
    first.map(({ body }) => body['status']),
    ['queued', 'queued'],
  )
  for (const name of ['c', 'd']) {
    const { status, body } = await send(github(name))
    assert.deepEqual([status, body['status'], body['run_id']], [202, 'deferred', undefined])
  }
  const again = await send(github('c'))
  assert.deepEqual([again.status, again.body['status']], [202, 'deferred'])
  const full = await send(github('e'))
  assert.deepEqual([full.status, full.body['code']], [429, 'queue_full'])
  assert.ok(Number(full.headers.get('retry-after')) > 0)

  const finish = (runId: unknown) => {
    const claim = { runId: String(runId), attempt: 1 }
    assert.ok(api.runs.finish(claim, { status: 'success' }, Date.now()))
  }
  const [a] = api.claim()
  finish(a)
  const later = await send(github('f'))
  assert.equal(later.body['status'], 'deferred', 'those before it go first')
  const outcomes = (await list()).map(({ outcome, reason }) => [outcome, reason ?? ''])
  assert.deepEqual(outcomes.toReversed(), [
    ['accepted', ''],
    ['accepted', ''],
    ['accepted', ''],
    ['deferred', ''],
    ['duplicate', ''],
    ['refused', 'queue_full'],
    ['deferred', ''],
  ])
  // the one that was refused is not known as sent
  const deliveries = createWebhookDeliveries(api.db)
  api.db.prepare("delete from webhook_deliveries where outcome = 'deferred'").run()
  assert.equal(deliveries.countDeferred(9), 0)
  assert.equal((await send(github('e'))).body['status'], 'deferred')
})

test('where nothing may wait no webhook does', async (t) => {
  const { send } = await start(t, { capacity: 1, flags: { 'max-queue-size': ['0'] } })
  assert.equal((await send()).status, 202)
  assert.equal((await send()).status, 429)
})

test('a delivery is sent again from the API and the page, but not one without its body', async (t) => {
  const { api, id, send, list } = await start(t)
  const first = (await send(github('one'))).body
  await send({ 'X-GitHub-Event': 'push' })
  const [refused, accepted] = await list()
  const path = (one: Record<string, unknown> | undefined) =>
    `/pipelines/${id}/deliveries/${String(one?.['id'])}`
  const again = await api.call('POST', `/api${path(accepted)}/redeliver`)
  assert.equal(again.status, 202)
  assert.notEqual(again.body['run_id'], first['run_id'])
  const [newest] = await list()
  assert.deepEqual(
    [newest?.['first_delivery_id'], newest?.['outcome'], newest?.['run_id']],
    [accepted?.['id'], 'accepted', again.body['run_id']],
  )
  const gone = await api.call('POST', `/api${path(refused)}/redeliver`)
  assert.deepEqual([gone.status, gone.body['code']], [409, 'delivery_gone'])
  const other = await api.set('q')
  for (const wrong of [
    `/api/pipelines/${id}/deliveries/none`,
    `/api/pipelines/${other}/deliveries/${String(accepted?.['id'])}`,
  ])
    assert.equal((await api.call('GET', wrong)).status, 404)

  const html = await (await api.fetch(`/pipelines/${id}/deliveries`)).text()
  assert.match(html, /refused: signature_invalid/)
  assert.equal(html.split('Deliver Again').length, 3)
  const pressed = await api.fetch(`${path(accepted)}/redeliver`, {
    method: 'POST',
    redirect: 'manual',
  })
  assert.equal(pressed.status, 303)
  assert.match(String(pressed.headers.get('location')), /^\/runs\/.{21}\/tasks$/)
})

test('a run of a webhook is done again with the webhook, or not at all', async (t) => {
  const { api, send } = await start(t)
  const runId = String((await send()).body['run_id'])
  const again = await api.call('POST', `/api/runs/${runId}/retrigger`)
  assert.equal(again.status, 202)
  assert.ok((again.body['trigger_input'] as Record<string, unknown>)['webhook'])
  api.db.prepare('delete from webhook_deliveries').run()
  const late = await api.call('POST', `/api/runs/${runId}/retrigger`)
  assert.deepEqual([late.status, late.body['code']], [409, 'delivery_gone'])
})

test('25 MiB are taken, a byte more is 413; a deep body and a cut one harm nobody', async (t) => {
  const { api, id, send, list } = await start(t)
  const large = 'x'.repeat(25 * 1_048_576)
  const ok = await Promise.all(
    Array.from({ length: 6 }, () => send(sign('generic', SECRET, large), { body: large })),
  )
  assert.ok(ok.every(({ status }) => status === 202))
  assert.equal((await list())[0]?.['body_bytes'], large.length)
  const more = `${large}x`
  assert.equal((await send(sign('generic', SECRET, more), { body: more })).status, 413)
  const deep = '['.repeat(100_000)
  assert.equal((await send(sign('github', SECRET, deep), { body: deep })).status, 202)
  const nested = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
  assert.equal((await send(sign('pagerduty', SECRET, nested), { body: nested })).status, 202)
  const other = await api.fetch(`/api/webhooks/${id}`)
  assert.deepEqual([other.status, other.headers.get('allow')], [405, 'POST'])
})

test('a trigger in mode webhook is a webhook that nobody has signed', async (t) => {
  const { api, id } = await start(t, {}, { content: RESPONDS })
  const webhook = { method: 'PUT', headers: { 'X-Event': 'a', Cookie: 'b' }, body: '{"a":1}' }
  const body = { mode: 'webhook', webhook, jobs: ['ignored'] }
  const { status, body: run } = await api.call('POST', `/api/pipelines/${id}/trigger`, body)
  assert.equal(status, 202)
  assert.deepEqual([run['trigger_type'], run['triggered_by']], ['webhook', 'manual'])
  const { webhook: event, jobs } = run['trigger_input'] as Record<string, Record<string, unknown>>
  assert.deepEqual(
    { ...event, delivery: '' },
    {
      ...{ provider: 'manual', eventType: '', method: 'PUT', delivery: '' },
      headers: { 'X-Event': 'a', Cookie: '***' },
    },
  )
  assert.equal(jobs, undefined)
})

test('with the feature off nothing of it is there', async (t) => {
  const api = await startTestApi(t, { flags: { 'allowed-features': ['secrets'] } })
  const id = await api.set('p')
  const set = await api.call('PUT', '/api/pipelines/p', { content: 'x', webhook_secret: 'x' })
  assert.deepEqual([set.status, set.body['error']], [400, 'webhooks feature is not enabled'])
  for (const [method, path, sent] of [
    ['POST', `/api/webhooks/${id}`, undefined],
    ['GET', `/api/pipelines/${id}/deliveries`, undefined],
    ['GET', `/pipelines/${id}/deliveries`, undefined],
    ['POST', `/api/pipelines/${id}/trigger`, { mode: 'webhook' }],
  ] as const) {
    const { status, body } = await api.call(method, path, sent)
    assert.deepEqual([status, body['error']], [403, 'webhooks feature is not enabled'])
  }
})

test('a webhook gives no inputs: defaults count, and a pipeline that requires one takes none', async (t) => {
  const content = (input: string) =>
    `export const inputs = { env: ${input} }\nexport const pipeline = async () => {}`
  const { api, send, list } = await start(
    t,
    {},
    { content: content("{ type: 'string', default: 'a' }") },
  )
  const taken = await send()
  const { body: run } = await api.call('GET', `/api/runs/${String(taken.body['run_id'])}/status`)
  assert.deepEqual((run['trigger_input'] as Record<string, unknown>)['inputs'], { env: 'a' })
  await api.set('p', { content: content("{ type: 'string', required: true }") })
  const refused = await send()
  assert.deepEqual([refused.status, refused.body['error']], [400, 'inputs.env: it is required'])
  const [last] = await list()
  assert.deepEqual([last?.['outcome'], last?.['reason']], ['refused', 'request_invalid'])
})

test('nobody waits for the answer of a run that has ended, or has no executor', async (t) => {
  const settings = { content: RESPONDS, concurrency_mode: 'skip-if-running' }
  const flags = { 'webhook-timeout': ['1h'] }
  const { send } = await start(t, { capacity: 0, flags }, settings)
  assert.equal((await send()).body['status'], 'queued')
  assert.equal((await send()).body['status'], 'skipped')
})
