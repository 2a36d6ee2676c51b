import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { SignJWT, decodeJwt } from 'jose'
import { startTestApi } from '../../helpers/api.js'
import { createHttpBrowser, linkOf } from '../../helpers/http-browser.js'
import { startSignInWorld } from '../../helpers/sign-in-world.js'

async function start(t: TestContext, now?: () => number) {
  const world = await startSignInWorld(t, 'github', now ? { now } : {})
  const { api, browser } = world
  return {
    ...world,
    begin: async (body?: unknown) => {
      const { status, body: answer } = await api.call('POST', '/auth/cli/begin', body)
      assert.equal(status, 200)
      return String(answer['code'])
    },
    poll: async (code: string, headers = {}) => {
      const { status, body } = await api.call(
        'GET',
        `/auth/cli/poll?code=${code}`,
        undefined,
        headers,
      )
      return { status, ...body } as { status: number | string; token?: string; error?: string }
    },
    approve: (code: string, who = browser) =>
      who.open(`${api.url}/auth/cli/approve`, {
        method: 'POST',
        body: new URLSearchParams({ code }),
      }),
    use: async (token: string) =>
      (await api.call('GET', '/api/pipelines', undefined, { authorization: `Bearer ${token}` }))
        .status,
  }
}

test('a command line gets its token once somebody has signed in and approved it', async (t) => {
  const { api, browser, begin, poll, approve, use } = await start(t)
  const { body } = await api.call('POST', '/auth/cli/begin')
  const code = String(body['code'])
  const loginUrl = String(body['login_url'])
  assert.match(code, /^[0-9a-f]{32}$/)
  assert.equal(loginUrl, `${api.url}/auth/cli/approve?code=${code}`)
  assert.equal((await poll(code)).status, 'pending')

  // who has not signed in goes through the provider and comes back to the question
  const asked = await browser.open(loginUrl)
  const consent = await browser.open(linkOf(asked, 'Sign in with GitHub'))
  const question = await browser.open(linkOf(consent, 'Authorise'))
  assert.equal(question.url, loginUrl)
  assert.match(
    question.text,
    /127\.0\.0\.1[\s\S]*octo@example\.com[\s\S]*<button class="btn">Approve/,
  )
  assert.equal((await poll(code)).status, 'pending')
  assert.match((await approve(code)).text, /Return to your terminal/)

  const { status, token = '' } = await poll(code)
  assert.equal(status, 'approved')
  assert.equal(await use(token), 200)
  assert.equal((await poll(code)).error, 'unknown code')
  const claims = decodeJwt(token)
  assert.deepEqual(
    [claims.sub, claims.iss, claims.aud, claims['email'], claims['provider']],
    ['583231', 'pocketci', ['api'], 'octo@example.com', 'github'],
  )
  assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), 30 * 86_400)
  assert.notEqual(await begin(), code)
})

test('codes that are bad, over, or approved already', async (t) => {
  let time = Date.now()
  const { api, browser, signIn, begin, poll, approve } = await start(t, () => time)
  await signIn()
  const page = (code: string) => browser.open(`${api.url}/auth/cli/approve?code=${code}`)
  assert.deepEqual(
    [(await page('none')).status, (await page('none')).text],
    [400, 'Invalid or expired login code'],
  )
  assert.equal((await approve('none')).status, 400)
  const code = await begin()
  assert.deepEqual(
    [
      (await approve(code, createHttpBrowser())).status,
      (await approve(code, createHttpBrowser())).text,
    ],
    [401, 'Authentication required'],
  )
  assert.equal((await approve(code)).status, 200)
  assert.equal((await approve(code)).status, 400)
  const late = await begin()
  time += 600_000
  assert.equal((await page(late)).status, 400)
  assert.deepEqual(
    [(await poll(late)).error, (await poll(late)).error],
    ['code expired', 'unknown code'],
  )
})

test('who only saw the code of a client of ours does not get its token', async (t) => {
  const { signIn, begin, poll, approve } = await start(t)
  await signIn()
  const secret_hash = createHash('sha256').update('mine').digest('hex')
  const code = await begin({ secret_hash })
  await approve(code)
  assert.equal((await poll(code)).error, 'unknown code')
  assert.equal((await poll(code, { 'x-login-secret': 'yours' })).error, 'unknown code')
  assert.equal((await poll(code, { 'x-login-secret': 'mine' })).status, 'approved')
})

test('asking for codes without end and guessing them is refused', async (t) => {
  const { api, begin, poll } = await start(t)
  for (let at = 0; at < 30; at++) await begin()
  assert.equal((await api.call('POST', '/auth/cli/begin')).status, 429)
  for (let at = 0; at < 10; at++) await poll(`guess${at}`)
  assert.equal((await api.call('GET', '/auth/cli/poll?code=x')).status, 429)
})

test('a token of a command line ends with its row, with "everywhere", and is signed by this server', async (t) => {
  const { api, browser, signIn, begin, poll, approve, use } = await start(t)
  await signIn()
  const login = async (): Promise<string> => {
    const code = await begin()
    await approve(code)
    return (await poll(code)).token ?? ''
  }
  const [first, second] = [await login(), await login()]
  const { jti = '' } = decodeJwt(first)
  assert.equal(
    (await browser.open(`${api.url}/api/tokens/${jti}`, { method: 'DELETE' })).status,
    204,
  )
  assert.deepEqual([await use(first), await use(second)], [401, 200])

  const { jti: id = '', ...claims } = decodeJwt(second)
  const forge = (key: string, alg: string, more: object) =>
    new SignJWT({ ...claims, ...more })
      .setJti(id)
      .setProtectedHeader({ alg })
      .sign(Buffer.from(key))
  const forged = [
    await forge('0123456789abcdef0123456789abcdef', 'HS256', {}),
    await forge('x'.repeat(64), 'HS512', {}),
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${second.split('.')[1]}.`,
    second.slice(0, -3),
    `${second}x`,
  ]
  for (const token of forged) assert.equal(await use(token), 401, token)
  await browser.open(`${api.url}/auth/logout/everywhere`, { method: 'POST' })
  assert.equal(await use(second), 401)
})

test('a cookie does not make up for a bad token', async (t) => {
  const { api, browser, signIn } = await start(t)
  await signIn()
  const headers = { authorization: 'Bearer nonsense' }
  const page = await browser.open(`${api.url}/api/pipelines`, { headers })
  assert.equal(page.status, 401)
  assert.match(page.text, /invalid or expired token/)
})

test('a server without a provider has no such flow', async (t) => {
  const api = await startTestApi(t)
  assert.equal((await api.call('POST', '/auth/cli/begin')).status, 404)
})
