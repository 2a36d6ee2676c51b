import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { linkOf } from '../../helpers/http-browser.js'
import { toMcpClient } from '../../helpers/mcp-client.js'
import { answerConsent, CALLBACK, createAuthProvider } from '../../helpers/mcp-oauth.js'
import { startSignInWorld, type SignInWorld } from '../../helpers/sign-in-world.js'

const VERIFIER = 'v'.repeat(43)
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

/** A client of the SDK that a person lets in, from the first refusal to its tools. */
async function connect(
  t: TestContext,
  { api, browser }: SignInWorld,
  { scopes = [] as string[], isSignedIn = true } = {},
) {
  const authProvider = createAuthProvider()
  const url = new URL(`${api.url}/mcp`)
  const asking = new StreamableHTTPClientTransport(url, { authProvider })
  await assert.rejects(new Client({ name: 'a', version: '1' }).connect(asking), UnauthorizedError)
  const begun = authProvider.sentTo
  assert.ok(begun)
  let page = await browser.open(begun.href)
  if (!isSignedIn) {
    const provider = await browser.open(linkOf(page, 'Sign in with GitHub'))
    page = await browser.open(linkOf(provider, 'Authorise'))
  }
  const back = await answerConsent(browser, page, { scopes })
  assert.equal(back.searchParams.get('state'), 'state & more')
  await asking.finishAuth(back.searchParams.get('code') ?? '')
  const open = async () => {
    const client = new Client({ name: 'a', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider }))
    t.after(() => client.close())
    return toMcpClient(client)
  }
  return { authProvider, page, open }
}

test('a person lets a client in through the sign-in page; it reads, and runs what it may', async (t) => {
  const world = await startSignInWorld(t, 'github')
  const { authProvider, page, open } = await connect(t, world, { isSignedIn: false })
  assert.match(page.text, /Test &lt;b>agent&lt;\/b>/)
  assert.match(page.text, /a program on this computer \(127\.0\.0\.1\)/)
  assert.match(
    page.headers.get('content-security-policy') ?? '',
    /form-action 'self' http:\/\/127\.0\.0\.1:33418;/,
  )
  const reader = await open()
  assert.equal(authProvider.stored?.scope, 'ci:read')
  assert.ok(!(await reader.toolNames()).includes('trigger_run'))
  assert.match(await reader.fail('trigger_run', { pipeline: 'p' }), /not good for ci:run/)

  const runner = await (await connect(t, world, { scopes: ['ci:run', 'ci:write'] })).open()
  await runner.call('set_pipeline', { name: 'p', content: 'export const pipeline = () => {}' })
  const { triggered_by: by } = await runner.call('trigger_run', { pipeline: 'p' })
  assert.equal(by, 'github:octo@example.com')
  assert.match(await runner.fail('approve_gate', { gate_id: 'g' }), /not good for ci:approve/)
})

test('tokens are renewed, an old refresh token ends the grant, and so does signing out everywhere', async (t) => {
  let time = Date.now()
  const world = await startSignInWorld(t, 'github', { now: () => time })
  await world.signIn()
  const { authProvider, open } = await connect(t, world)
  await open()
  const before = authProvider.stored
  time += 2 * 3_600_000
  await (await open()).call('list_runs')
  assert.notEqual(authProvider.stored?.access_token, before?.access_token)
  assert.notEqual(authProvider.stored?.refresh_token, before?.refresh_token)

  const refresh = { grant_type: 'refresh_token', client_id: authProvider.client?.client_id ?? '' }
  const old = await post(world, { ...refresh, refresh_token: before?.refresh_token ?? '' })
  assert.deepEqual([old.status, old.body['error']], [400, 'invalid_grant'])
  const current = { ...refresh, refresh_token: authProvider.stored?.refresh_token ?? '' }
  assert.equal((await post(world, current)).body['error'], 'invalid_grant')
  assert.equal(await statusOf(world, authProvider.stored?.access_token ?? ''), 401)

  await world.signIn()
  const again = await connect(t, world)
  const token = again.authProvider.stored?.access_token ?? ''
  assert.equal(await statusOf(world, token), 200)
  await world.browser.open(`${world.api.url}/auth/logout/everywhere`, { method: 'POST' })
  assert.equal(await statusOf(world, token), 401)
})

test('the metadata says where everything is, to every origin', async (t) => {
  const { api } = await startSignInWorld(t, 'github')
  const { url } = api
  const get = async (path: string) => {
    const response = await api.fetch(`/.well-known/${path}`, { headers: { origin: 'https://a.b' } })
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    return (await response.json()) as Record<string, unknown>
  }
  const resource = {
    resource: url,
    authorization_servers: [url],
    scopes_supported: ['ci:read'],
    bearer_methods_supported: ['header'],
    resource_name: 'PocketCI',
  }
  assert.deepEqual(await get('oauth-protected-resource'), resource)
  const ofMcp = { ...resource, resource: `${url}/mcp` }
  assert.deepEqual(await get('oauth-protected-resource/mcp'), ofMcp)
  assert.deepEqual(await get('oauth-authorization-server'), {
    issuer: url,
    authorization_endpoint: `${url}/oauth/authorize`,
    token_endpoint: `${url}/oauth/token`,
    registration_endpoint: `${url}/oauth/register`,
    scopes_supported: ['ci:read', 'ci:run', 'ci:approve', 'ci:write'],
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
  })
  const preflight = await api.fetch('/.well-known/oauth-protected-resource', { method: 'OPTIONS' })
  assert.deepEqual(
    [preflight.status, preflight.headers.get('access-control-allow-origin')],
    [204, '*'],
  )
})

test('what is no token for this is refused, with the way to one', async (t) => {
  const world = await startSignInWorld(t, 'github')
  const metadata = `resource_metadata="${world.api.url}/.well-known/oauth-protected-resource", scope="ci:read"`
  await world.signIn()
  const cookie = [...world.browser.jar(world.api.url)].map((pair) => pair.join('=')).join('; ')
  const token = await world.browser.open(`${world.api.url}/api/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'runner', scopes: ['ci:run'] }),
  })
  const { token: narrow } = JSON.parse(token.text) as { token: string }
  for (const [headers, status, error, challenge] of [
    [{}, 401, 'no bearer token', `Bearer ${metadata}`],
    [{ cookie }, 401, 'no bearer token', `Bearer ${metadata}`],
    [
      { authorization: 'bearer nonsense' },
      401,
      'invalid token',
      `Bearer error="invalid_token", ${metadata}`,
    ],
    [
      { authorization: `Bearer ${narrow}` },
      403,
      'insufficient scope',
      `Bearer error="insufficient_scope", ${metadata}`,
    ],
  ] as const) {
    const { body, ...answer } = await world.api.call('POST', '/mcp', {}, headers)
    const got = [answer.status, body['error'], answer.headers.get('www-authenticate')]
    assert.deepEqual(got, [status, error, challenge])
  }
})

test('a client registers with places that may get a code, and with no others', async (t) => {
  let time = Date.now()
  const { api } = await startSignInWorld(t, 'github', { now: () => time })
  const register = (body: unknown) => api.call('POST', '/oauth/register', body)
  const { status, body } = await register({ redirect_uris: [CALLBACK], client_name: 'c', more: 1 })
  assert.equal(status, 201)
  const { client_id: id, client_id_issued_at: at, ...rest } = body
  assert.match(String(id), /^[0-9a-f]{32}$/)
  assert.equal(at, Math.floor(time / 1_000))
  assert.deepEqual(rest, {
    client_name: 'c',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  })
  for (const uri of ['https://a.example/cb?x=1', 'http://[::1]:1/', 'cursor://anysphere/cb'])
    assert.equal((await register({ redirect_uris: [uri] })).status, 201, uri)
  time += 60_000
  for (const [sent, error] of [
    [[], 'invalid_request'],
    [{}, 'invalid_client_metadata'],
    [{ redirect_uris: 'x' }, 'invalid_client_metadata'],
    [{ redirect_uris: ['http://a.example/'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['data:text/html,x'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://a.example/#x'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://me@a.example/'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://a;sandbox/'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: [CALLBACK, 'x'] }, 'invalid_redirect_uri'],
  ] as const) {
    const answer = await register(sent)
    assert.deepEqual([answer.status, answer.body['error']], [400, error], JSON.stringify(sent))
  }
  const broken = await api.fetch('/oauth/register', { method: 'POST', body: '{' })
  assert.deepEqual(await broken.json(), {
    error: 'invalid_request',
    error_description: 'could not parse request body',
  })
  const answers = []
  for (let count = 0; count < 20; count++) answers.push((await register({})).status)
  assert.deepEqual(new Set(answers), new Set([400, 429]))

  time += 86_400_000
  const late = await api.fetch(`/oauth/authorize?${query({ client_id: String(id) })}`)
  assert.equal(late.status, 401)
})

test('a request for consent is checked, and the client is told once it is known', async (t) => {
  const world = await startSignInWorld(t, 'github')
  const { api, browser } = world
  await world.signIn()
  const client = await registered(world)
  const ask = (change: Record<string, string>) =>
    browser.open(`${api.url}/oauth/authorize?${query({ client_id: client, ...change })}`, {
      follows: false,
    })
  for (const [change, status, error] of [
    [{ response_type: 'token' }, 400, 'unsupported_response_type'],
    [{ client_id: '' }, 400, 'invalid_request'],
    [{ redirect_uri: '' }, 400, 'invalid_request'],
    [{ client_id: 'f'.repeat(32) }, 401, 'invalid_client'],
    [{ redirect_uri: 'https://evil.example/' }, 400, 'invalid_request'],
  ] as const) {
    const page = await ask(change)
    const { error: got } = JSON.parse(page.text) as { error: string }
    assert.deepEqual([page.status, got], [status, error], JSON.stringify(change))
  }
  for (const [change, error] of [
    [{ code_challenge: '' }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ resource: 'https://other.example' }, 'invalid_target'],
    [{ scope: 'ci:admin' }, 'invalid_scope'],
  ] as const) {
    const page = await ask({ ...change, state: 's' })
    const back = new URL(page.headers.get('location') ?? '')
    assert.deepEqual([page.status, back.origin], [302, new URL(CALLBACK).origin])
    const got = [back.searchParams.get('error'), back.searchParams.get('state')]
    assert.deepEqual(got, [error, 's'], JSON.stringify(change))
  }
  const page = await ask({ resource: `${api.url}/mcp` })
  assert.equal(page.status, 200)
  const denied = await answerConsent(browser, page, { answer: 'deny' })
  assert.equal(denied.searchParams.get('error'), 'access_denied')
  assert.equal(denied.searchParams.get('code'), null)
})

test('nobody consents with a form of another user, of another site, or of their own making', async (t) => {
  const world = await startSignInWorld(t, 'github')
  const { api, browser } = world
  await world.signIn()
  const client = await registered(world)
  const page = await browser.open(`${api.url}/oauth/authorize?${query({ client_id: client })}`)
  const [, sealed = ''] = /name="request" value="([^"]+)"/.exec(page.text) ?? []
  const send = (form: Record<string, string>, headers: Record<string, string>) =>
    browser.open(`${api.url}/oauth/authorize`, {
      method: 'POST',
      body: new URLSearchParams({ answer: 'allow', ...form }),
      headers,
      follows: false,
    })
  const foreign = { origin: 'https://evil.example' }
  assert.equal((await send({ request: sealed }, foreign)).status, 403)
  const changed = `${sealed.slice(0, -4)}AAAA`
  assert.equal((await send({ request: changed }, {})).status, 400)
  assert.equal((await send({}, {})).status, 400)
  // the page was opened by somebody else
  api.db.exec(`insert into users select 99, provider, 'other', email, name, nick_name, avatar_url,
    organizations, groups, raw_data, created_at, updated_at from users; update sessions set user = 99`)
  assert.equal((await send({ request: sealed }, {})).status, 400)
  browser.jar(api.url).clear()
  assert.equal((await send({ request: sealed }, {})).status, 400)
  assert.equal(api.db.prepare('select count(*) from oauth_codes').pluck().get(), 0)
})

test('a code is good once, for its client, its redirect, its verifier and its resource', async (t) => {
  const world = await startSignInWorld(t, 'github')
  await world.signIn()
  const { api, browser } = world
  const client = await registered(world)
  const newCode = async () => {
    const page = await browser.open(`${api.url}/oauth/authorize?${query({ client_id: client })}`)
    return (await answerConsent(browser, page)).searchParams.get('code') ?? ''
  }
  const right = {
    grant_type: 'authorization_code',
    client_id: client,
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
  }
  for (const [change, error] of [
    [{ code_verifier: 'w'.repeat(43) }, 'invalid_grant'],
    [{ client_id: await registered(world) }, 'invalid_grant'],
    [{ redirect_uri: `${CALLBACK}2` }, 'invalid_grant'],
    [{ resource: 'https://other.example' }, 'invalid_target'],
  ] as const) {
    const code = await newCode()
    const wrong = await post(world, { ...right, code, ...change })
    assert.deepEqual([wrong.status, wrong.body['error']], [400, error])
    // it was used up by that
    assert.equal((await post(world, { ...right, code })).body['error'], 'invalid_grant')
  }
  for (const [form, error] of [
    [{}, 'unsupported_grant_type'],
    [{ grant_type: 'password' }, 'unsupported_grant_type'],
    [{ grant_type: 'authorization_code' }, 'invalid_request'],
    [{ grant_type: 'refresh_token' }, 'invalid_request'],
    [{ grant_type: 'refresh_token', refresh_token: 'x', client_id: client }, 'invalid_grant'],
    // clients register again then
    [{ grant_type: 'refresh_token', refresh_token: 'x', client_id: 'gone' }, 'invalid_client'],
    [{ ...right, code: 'x', client_id: 'gone' }, 'invalid_client'],
  ] as const)
    assert.equal((await post(world, form)).body['error'], error)

  const code = await newCode()
  const { status, headers, body } = await post(world, { ...right, code })
  assert.deepEqual([status, headers.get('cache-control')], [200, 'no-store'])
  const { access_token: token, refresh_token: refresh, ...rest } = body
  assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 3_600, scope: 'ci:read' })
  assert.equal((await post(world, { ...right, code })).body['error'], 'invalid_grant')
  assert.equal(await statusOf(world, String(token)), 200)
  const elsewhere = await api.call('GET', '/api/runs', undefined, {
    authorization: `Bearer ${String(token)}`,
  })
  assert.equal(elsewhere.status, 401)
  const tables = ['oauth_codes', 'oauth_grants'].map((table) =>
    api.db.prepare(`select * from ${table}`).all(),
  )
  assert.ok(!JSON.stringify(tables).includes(String(refresh)))
})

function query(change: Record<string, string>): URLSearchParams {
  return new URLSearchParams({
    response_type: 'code',
    redirect_uri: CALLBACK,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...change,
  })
}

async function registered({ api }: SignInWorld): Promise<string> {
  const { body } = await api.call('POST', '/oauth/register', { redirect_uris: [CALLBACK] })
  return String(body['client_id'])
}

async function post({ api }: SignInWorld, form: Record<string, string>) {
  const body = new URLSearchParams(form)
  const response = await api.fetch('/oauth/token', { method: 'POST', body })
  const json = (await response.json()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, body: json }
}

async function statusOf({ api }: SignInWorld, token: string): Promise<number> {
  const response = await api.fetch('/mcp', {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
    },
  })
  await response.text()
  return response.status
}
