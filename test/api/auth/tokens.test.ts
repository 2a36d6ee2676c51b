import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../../helpers/api.js'
import { startSignInWorld } from '../../helpers/sign-in-world.js'
import { insertPipeline } from '../../helpers/storage.js'
import { until } from '../../helpers/until.js'

const BASIC = {
  authorization: `Basic ${Buffer.from('admin:secret').toString('base64')}`,
}
const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` })

async function startBasic(t: Parameters<typeof startTestApi>[0], now: () => number = Date.now) {
  const api = await startTestApi(t, { flags: { 'basic-auth': ['admin:secret'] }, deps: { now } })
  insertPipeline(api.db, 'p')
  const make = async (body: Record<string, unknown>, as: Record<string, string> = BASIC) =>
    (await api.call('POST', '/api/tokens', body, as)).body
  return { api, make }
}

const can = async (api: TestApi, token: unknown, method: string, path: string) =>
  (await api.call(method, path, undefined, bearer(token))).status

test('a token is good for its scopes and for nothing else', async (t) => {
  const { api, make } = await startBasic(t)
  const { token } = await make({ name: 'bot', scopes: ['ci:read', 'ci:run'] })
  assert.match(String(token), /^pci_[\w-]{43}$/)
  assert.equal(await can(api, token, 'GET', '/api/pipelines/p'), 200)
  assert.equal(await can(api, token, 'POST', '/api/pipelines/p/trigger'), 202)
  for (const [method, path] of [
    ['DELETE', '/api/pipelines/p'],
    ['POST', '/api/pipelines/p/pause'],
    ['POST', '/api/gates/none/approve'],
    ['GET', '/api/tokens'],
    ['POST', '/api/tokens'],
  ] as const)
    assert.equal(await can(api, token, method, path), 403, path)
  const { body } = await api.call('DELETE', '/api/pipelines/p', undefined, bearer(token))
  assert.equal(body['error'], 'access denied: the token is not good for ci:write')
})

test('a token acts as its owner', async (t) => {
  const { api, make } = await startBasic(t)
  const { token } = await make({ name: 'bot', scopes: ['ci:run'] })
  const { body } = await api.call('POST', '/api/pipelines/p/trigger', undefined, bearer(token))
  assert.equal(body['triggered_by'], 'basic:admin')
})

test('tokens are listed with their use, never with their text, and the database has none', async (t) => {
  const { api, make } = await startBasic(t)
  const { token, id } = await make({ name: 'bot', scopes: ['ci:read'], expires_in: '1h' })
  await can(api, token, 'GET', '/api/pipelines')
  const listed = await until('the use is noted', async () => {
    const { body } = await api.call('GET', '/api/tokens', undefined, BASIC)
    return JSON.stringify(body).includes('last_used_at') ? body : undefined
  })
  const [item] = listed['items'] as Record<string, unknown>[]
  assert.deepEqual([item?.['id'], item?.['name'], item?.['scopes']], [id, 'bot', ['ci:read']])
  const text = String(token)
  assert.ok(!JSON.stringify(listed).includes(text.slice(4)))
  assert.ok(!JSON.stringify(api.db.prepare('select * from tokens').all()).includes(text.slice(4)))
  assert.doesNotMatch(api.logLines().join(''), new RegExp(text.slice(4)))
})

test('a token ends when it is revoked, and at its time', async (t) => {
  let time = 1_800_000_000_000
  const { api, make } = await startBasic(t, () => time)
  const [first, second] = [
    await make({ name: 'a', scopes: ['ci:read'] }),
    await make({ name: 'b', scopes: ['ci:read'], expires_in: '1h' }),
  ]
  const revoke = () => api.call('DELETE', `/api/tokens/${String(first['id'])}`, undefined, BASIC)
  assert.equal((await revoke()).status, 204)
  assert.equal((await revoke()).body['code'], 'token_not_found')
  assert.equal(await can(api, first['token'], 'GET', '/api/pipelines'), 401)
  assert.equal(await can(api, second['token'], 'GET', '/api/pipelines'), 200)
  time += 3_600_000
  assert.equal(await can(api, second['token'], 'GET', '/api/pipelines'), 401)
})

test('a token makes none that can do more than itself', async (t) => {
  const { make } = await startBasic(t)
  const { token } = await make({ name: 'admin', scopes: ['ci:admin', 'ci:read'] })
  const more = await make({ name: 'x', scopes: ['ci:read', 'ci:write'] }, bearer(token))
  assert.match(String(more['error']), /this token does not have ci:write itself/)
  assert.ok((await make({ name: 'x', scopes: ['ci:read'] }, bearer(token)))['token'])
})

test('tokens of a user that the server had before are nobody’s', async (t) => {
  const { api, make } = await startBasic(t)
  const { token } = await make({ name: 'a', scopes: ['ci:read'] })
  api.db.prepare("update tokens set basic_user = 'former'").run()
  assert.equal(await can(api, token, 'GET', '/api/pipelines'), 401)
})

test('what is wrong with a request for a token is said; an open server has none', async (t) => {
  const { make } = await startBasic(t)
  for (const body of [
    {},
    { name: '', scopes: ['ci:read'] },
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['root'] },
    { name: 'x', scopes: ['ci:read'], expires_in: '9000h' },
  ])
    assert.equal((await make(body))['code'], 'request_invalid', JSON.stringify(body))
  const open = await startTestApi(t)
  const refused = await open.call('POST', '/api/tokens', { name: 'x', scopes: ['ci:read'] })
  assert.deepEqual([refused.status, refused.body['code']], [400, 'request_invalid'])
})

test('tokens that have ended shut nobody out', async (t) => {
  const { api, make } = await startBasic(t)
  const { token } = await make({ name: 'a', scopes: ['ci:read'] })
  for (let at = 0; at < 15; at++)
    assert.equal(await can(api, `pci_${at}`, 'GET', '/api/pipelines'), 401)
  assert.equal(await can(api, token, 'GET', '/api/pipelines'), 200)
})

test('nobody sees or revokes what is somebody else’s', async (t) => {
  const { api, signIn, browser } = await startSignInWorld(t, 'github')
  await signIn()
  api.db
    .prepare(
      `insert into users select id + 1, 'github', 'other', '', '', '', '', organizations, groups,
         raw_data, created_at, updated_at from users`,
    )
    .run()
  const own = await browser.open(`${api.url}/api/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'a', scopes: ['ci:read'] }),
  })
  const { id } = JSON.parse(own.text) as { id: string }
  api.db.prepare('update tokens set user = user + 1').run()
  const { text } = await browser.open(`${api.url}/api/tokens`)
  assert.equal((JSON.parse(text) as { total_items: number }).total_items, 0)
  const removed = await browser.open(`${api.url}/api/tokens/${id}`, { method: 'DELETE' })
  assert.equal(removed.status, 404)
})
