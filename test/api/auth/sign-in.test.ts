import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../../helpers/api.js'
import { createHttpBrowser, linkOf, type HttpBrowser } from '../../helpers/http-browser.js'
import { startSignInWorld } from '../../helpers/sign-in-world.js'
import { insertPipeline } from '../../helpers/storage.js'

test('GitHub: through its page and back, with the organisations of all pages', async (t) => {
  const { provider, signIn, user, browser, api } = await startSignInWorld(t, 'github')
  provider.says.organizations = Array.from({ length: 205 }, (_, at) => `org-${at}`)
  const page = await signIn()
  assert.equal(page.url, `${api.url}/pipelines/`)
  assert.match(page.text, /octocat[\s\S]*href="\/auth\/logout"/)
  const [asked] = provider.asked
  assert.equal(asked?.get('scope'), 'user:email read:org')
  assert.equal(asked?.get('code_challenge_method'), 'S256')
  assert.ok((asked?.get('state')?.length ?? 0) >= 20)
  const found = await user()
  assert.equal((found['organizations'] as string[]).length, 205)
  assert.deepEqual(
    [found['email'], found['name'], found['nick_name'], found['provider'], found['user_id']],
    ['octo@example.com', 'Octo Cat', 'octocat', 'github', '583231'],
  )
  assert.equal(browser.jar(api.url).has('pocketci_sign_in'), false)
})

test('GitLab: a self-hosted one, with groups', async (t) => {
  const { provider, signIn, user } = await startSignInWorld(t, 'gitlab')
  provider.says.groups = ['acme', 'acme/deep']
  await signIn()
  assert.equal(provider.asked[0]?.get('scope'), 'read_user openid profile email')
  assert.equal(provider.asked[0]?.get('code_challenge_method'), 'S256')
  const found = await user()
  assert.deepEqual(found['groups'], ['acme', 'acme/deep'])
  assert.deepEqual([found['email'], found['user_id']], ['tanuki@example.com', '42'])
})

for (const name of ['github', 'gitlab'] as const)
  test(`${name}: an address that nobody has verified is none`, async (t) => {
    const { provider, signIn, user } = await startSignInWorld(t, name)
    provider.says.emailVerified = false
    await signIn()
    assert.equal((await user())['email'], '')
  })

test('who denies comes back to the sign-in page, which says that it failed', async (t) => {
  const { api, browser, user } = await startSignInWorld(t, 'github')
  const consent = await browser.open(`${api.url}/auth/github`)
  const back = await browser.open(linkOf(consent, 'Deny'))
  assert.equal(back.url, `${api.url}/auth/login?error=auth_failed`)
  assert.match(back.text, /The sign-in failed/)
  assert.equal((await user())['status'], 401)
})

test('another state, another browser, a code used before, a time that is over: nobody is signed in', async (t) => {
  let time = Date.now()
  const { api, browser, user } = await startSignInWorld(t, 'github', { now: () => time })
  const callbackOf = async (): Promise<string> => {
    const consent = await browser.open(`${api.url}/auth/github`)
    const grant = await browser.open(linkOf(consent, 'Authorise'), { follows: false })
    return grant.headers.get('location') ?? ''
  }
  const refuse = async (who: HttpBrowser, url: string, what: string): Promise<void> => {
    assert.match((await who.open(url)).url, /login\?error=auth_failed$/, what)
    assert.equal((await user(who))['status'], 401, what)
  }

  const stateless = new URL(await callbackOf())
  stateless.searchParams.delete('state')
  await refuse(browser, stateless.href, 'no state')
  const changed = new URL(await callbackOf())
  changed.searchParams.set('state', 'x'.repeat(24))
  await refuse(browser, changed.href, 'another state')
  await refuse(createHttpBrowser(), await callbackOf(), 'another browser')
  const late = await callbackOf()
  time += 600_001
  await refuse(browser, late, 'too late')
  await refuse(browser, `${api.url}/auth/github/callback`, 'nothing')
  const empty = (await callbackOf()).replace(/code=\w+/, 'code=')
  await refuse(browser, empty, 'an empty code')

  const good = await callbackOf()
  const kept = new Map(browser.jar(api.url))
  assert.equal((await browser.open(good)).url, `${api.url}/pipelines/`)
  const thief = createHttpBrowser()
  for (const [key, value] of kept) thief.jar(api.url).set(key, value)
  await refuse(thief, good, 'a code used before')
})

test('a page that wants a sign-in is shown after it, and no other server is', async (t) => {
  const { api, signIn, browser } = await startSignInWorld(t, 'github')
  insertPipeline(api.db, 'p')
  const sent = await browser.open(`${api.url}/pipelines/p/?page=2`)
  assert.match(sent.url, /\/auth\/login\?next=%2Fpipelines%2Fp%2F%3Fpage%3D2$/)
  const page = await signIn(createHttpBrowser(), new URL(sent.url).search)
  assert.equal(page.url, `${api.url}/pipelines/p/?page=2`)
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    '/.//evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
  ])
    assert.equal(
      (await signIn(createHttpBrowser(), `?next=${encodeURIComponent(next)}`)).url,
      `${api.url}/pipelines/`,
      next,
    )
})

test('programs get 401, pages the sign-in page, and an unknown provider is told apart from neither', async (t) => {
  const { api } = await startSignInWorld(t, 'github')
  const refused = await api.call('GET', '/api/pipelines')
  assert.deepEqual([refused.status, refused.body['error']], [401, 'authentication required'])
  const page = await api.call('GET', '/runs/none/tasks')
  assert.deepEqual(
    [page.status, page.headers.get('location')],
    [302, '/auth/login?next=%2Fruns%2Fnone%2Ftasks'],
  )
  const post = await api.call('POST', '/runs/none/stop')
  assert.deepEqual([post.status, post.headers.get('location')], [302, '/auth/login'])
  assert.equal((await api.call('GET', '/auth/gitlab')).status, 400)
  assert.equal((await api.call('GET', '/health')).status, 200)
})

test('the cookie is opaque, signed and for this server alone; the database has a hash of it', async (t) => {
  const { api, signIn, user, browser } = await startSignInWorld(t, 'github', {
    flags: { 'secure-cookies': ['true'] },
  })
  await signIn()
  const consent = await browser.open(`${api.url}/auth/github`)
  const grant = await browser.open(linkOf(consent, 'Authorise'), { follows: false })
  const back = await browser.open(grant.headers.get('location') ?? '', { follows: false })
  assert.equal(back.headers.get('strict-transport-security'), 'max-age=15552000')
  const line = back.headers.getSetCookie().find((one) => one.startsWith('pocketci_session='))
  assert.match(
    line ?? '',
    /^pocketci_session=[\w-]{43}\.[\w-]{43}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/,
  )
  const value = browser.jar(api.url).get('pocketci_session') ?? ''
  const [token = '', signature = ''] = value.split('.')
  assert.ok(!JSON.stringify(api.db.prepare('select * from sessions').all()).includes(token))
  for (const forged of [
    `${token}.`,
    token,
    `${token}.${signature.slice(0, -2)}AA`,
    `x${token.slice(1)}.${signature}`,
    '',
  ]) {
    const other = createHttpBrowser()
    other.jar(api.url).set('pocketci_session', forged)
    assert.equal((await user(other))['status'], 401, forged)
  }
})

test('a session that a browser had before is over: nobody can fix the next one', async (t) => {
  const { api, signIn, user, browser } = await startSignInWorld(t, 'github')
  await signIn()
  const first = browser.jar(api.url).get('pocketci_session') ?? ''
  await signIn()
  assert.notEqual(browser.jar(api.url).get('pocketci_session'), first)
  const other = createHttpBrowser()
  other.jar(api.url).set('pocketci_session', first)
  assert.equal((await user(other))['status'], 401)
})

test('signing out ends one session, everywhere all of them; a day ends each', async (t) => {
  let time = Date.now()
  const { api, signIn, user, browser } = await startSignInWorld(t, 'github', { now: () => time })
  const others = [createHttpBrowser(), createHttpBrowser(), createHttpBrowser()] as const
  for (const one of [browser, ...others]) await signIn(one)
  const confirm = await browser.open(`${api.url}/auth/logout`)
  assert.match(confirm.text, /<form method="post" action="\/auth\/logout">/)
  assert.equal((await user())['status'], 200)

  const kept = browser.jar(api.url).get('pocketci_session') ?? ''
  await browser.open(`${api.url}/auth/logout`, { method: 'POST' })
  browser.jar(api.url).set('pocketci_session', kept)
  assert.equal((await user())['status'], 401)
  assert.equal((await user(others[0]))['status'], 200)
  await others[0].open(`${api.url}/auth/logout/everywhere`, { method: 'POST' })
  for (const one of others) assert.equal((await user(one))['status'], 401)

  await signIn()
  time += 86_400_000
  assert.equal((await user())['status'], 401)
})

test('another site signs nobody out, and a link alone does not either', async (t) => {
  const { api, signIn, user, browser } = await startSignInWorld(t, 'github')
  await signIn()
  const forged = { method: 'POST', headers: { origin: 'https://evil.example' } }
  assert.equal((await browser.open(`${api.url}/auth/logout`, forged)).status, 403)
  await browser.open(`${api.url}/auth/logout`)
  assert.equal((await user())['status'], 200)
})

test('runs are named after whoever started them', async (t) => {
  const { api, signIn, browser } = await startSignInWorld(t, 'github')
  insertPipeline(api.db, 'p')
  await signIn()
  const { text } = await browser.open(`${api.url}/api/pipelines/p/trigger`, { method: 'POST' })
  assert.equal(
    (JSON.parse(text) as { triggered_by: string }).triggered_by,
    'github:octo@example.com',
  )
})

test('without a provider there is nothing to sign in to', async (t) => {
  const api = await startTestApi(t)
  for (const path of ['/auth/login', '/auth/github', '/auth/user', '/auth/logout'])
    assert.equal((await api.call('GET', path)).status, 404, path)
})
