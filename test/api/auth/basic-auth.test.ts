import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi, type TestApi } from '../../helpers/api.js'
import { insertPipeline } from '../../helpers/storage.js'

const FLAGS = { 'basic-auth': ['admin:s3cret:with:colons'] }
const RIGHT = basic('admin:s3cret:with:colons')

function basic(credentials: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

async function statusOf({ fetch }: TestApi, path: string, headers = {}, method = 'GET') {
  const response = await fetch(path, { headers, method, redirect: 'manual' })
  await response.arrayBuffer()
  return response.status
}

test('pages and api need the password, probes, assets and share links do not', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  for (const path of [
    '/',
    '/pipelines/',
    '/api/pipelines',
    '/api/runs/x/status',
    '/runs/x/tasks',
  ]) {
    const refused = await api.fetch(path, { redirect: 'manual' })
    const { message } = (await refused.json()) as { message: string }
    assert.deepEqual([refused.status, message], [401, 'Unauthorized'], path)
    assert.equal(refused.headers.get('www-authenticate'), 'basic realm="Restricted"', path)
  }
  assert.equal(await statusOf(api, '/api/pipelines', RIGHT), 200)
  assert.equal(await statusOf(api, '/pipelines/', RIGHT), 200)
  for (const path of ['/health', '/ready']) assert.equal(await statusOf(api, path), 200, path)
  assert.equal(await statusOf(api, '/share/none/tasks'), 404)
  assert.equal(await statusOf(api, '/no-such-page'), 404)
})

test('whether something is there is not told to strangers', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  insertPipeline(api.db, 'there')
  const answers = await Promise.all(
    ['there', 'missing'].map(async (id) => {
      const response = await api.fetch(`/api/pipelines/${id}`, {
        headers: { 'x-request-id': 'same' },
      })
      return [response.status, await response.text()]
    }),
  )
  assert.deepEqual(answers[0], answers[1])
})

test('wrong credentials are 401, those that do not decode 400, other schemes nobody', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  for (const wrong of ['admin:', 'admin:s3cret', 'Admin:s3cret:with:colons', ':', 'x:y']) {
    const refused = await api.fetch('/api/pipelines', { headers: basic(wrong) })
    await refused.text()
    assert.equal(refused.status, 401, wrong)
    assert.equal(refused.headers.get('www-authenticate'), 'basic realm="Restricted"')
  }
  for (const given of ['Basic %%%', 'Basic', `Basic ${Buffer.from('nocolon').toString('base64')}`])
    assert.equal(await statusOf(api, '/api/pipelines', { authorization: given }), 400, given)
  assert.equal(await statusOf(api, '/api/pipelines', { authorization: 'Bearer x' }), 401)
})

test('ten wrong tries a minute and no more, also for the right password then', async (t) => {
  let time = 1_800_000_000_000
  const api = await startTestApi(t, { flags: FLAGS, deps: { now: () => time } })
  for (let at = 0; at < 10; at++)
    assert.equal(await statusOf(api, '/api/pipelines', basic('admin:no')), 401)
  const refused = await api.fetch('/api/pipelines', { headers: RIGHT })
  const { code } = (await refused.json()) as { code: string }
  assert.deepEqual([refused.status, code], [429, 'too_many_attempts'])
  assert.equal(refused.headers.get('retry-after'), '60')
  time += 60_000
  assert.equal(await statusOf(api, '/api/pipelines', RIGHT), 200)
})

test('an address in X-Forwarded-For counts where a trusted proxy says it, and nowhere else', async (t) => {
  const from = (address: string) => ({ ...basic('a:b'), 'x-forwarded-for': address })
  const direct = await startTestApi(t, { flags: FLAGS })
  for (let at = 0; at < 10; at++) await statusOf(direct, '/api/pipelines', from(`192.0.2.${at}`))
  assert.equal(await statusOf(direct, '/api/pipelines', from('192.0.2.99')), 429)

  const proxied = await startTestApi(t, { flags: { ...FLAGS, 'trusted-proxies': ['loopback'] } })
  // a client can say what it likes to the left of what the proxy adds
  for (let at = 0; at < 10; at++)
    await statusOf(proxied, '/api/pipelines', from(`192.0.2.${at}, 198.51.100.7`))
  assert.equal(await statusOf(proxied, '/api/pipelines', from('198.51.100.7')), 429)
  assert.equal(await statusOf(proxied, '/api/pipelines', from('192.0.2.1')), 401)
})

test('the record says who did it', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  insertPipeline(api.db, 'p')
  const triggered = await api.fetch('/api/pipelines/p/trigger', { method: 'POST', headers: RIGHT })
  const run = (await triggered.json()) as { triggered_by: string }
  assert.deepEqual([triggered.status, run.triggered_by], [202, 'basic:admin'])
})

test('a page of another site cannot use the credentials that a browser remembers', async (t) => {
  const api = await startTestApi(t, { flags: FLAGS })
  insertPipeline(api.db, 'p')
  const post = (headers: Record<string, string>) =>
    statusOf(api, '/api/pipelines/p/pause', { ...RIGHT, ...headers }, 'POST')
  assert.equal(await post({ origin: 'http://evil.example' }), 403)
  assert.equal(await post({ origin: 'null' }), 403)
  assert.equal(await post({ origin: api.url }), 200)
  assert.equal(await post({}), 200)
})
