import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { startTestApi } from '../../helpers/api.js'
import { freePort } from '../../helpers/free-port.js'
import { createHttpBrowser, linkOf } from '../../helpers/http-browser.js'
import {
  flagsOf,
  foreignTenant,
  startSignInProvider,
  TENANT,
} from '../../helpers/sign-in-provider.js'

async function start(t: TestContext, tenant: string = TENANT) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const callbackUrl = `${url}/auth/microsoftonline/callback`
  const provider = await startSignInProvider(t, { callbackUrl, isTls: true })
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, readFileSync(provider.certFile, 'utf8')])
  t.after(() => setDefaultCACertificates(trusted))
  let time = Date.now()
  await startTestApi(t, {
    flags: {
      ...flagsOf('microsoft', provider),
      'oauth-microsoft-tenant': [tenant],
      'oauth-callback-url': [url],
      port: [String(port)],
    },
    deps: { now: () => time },
  })
  /** A whole sign-in in a new browser; answers who that is, or undefined. */
  const signIn = async (): Promise<Record<string, unknown> | undefined> => {
    const browser = createHttpBrowser()
    const login = await browser.open(`${url}/auth/login`)
    const consent = await browser.open(linkOf(login, 'Sign in with Microsoft'))
    const back = await browser.open(linkOf(consent, 'Authorise'))
    const { status, text } = await browser.open(`${url}/auth/user`)
    if (status === 200) return JSON.parse(text) as Record<string, unknown>
    assert.match(back.url, /error=auth_failed/)
    return undefined
  }
  return { provider, signIn, passTime: (ms: number) => (time += ms) }
}

test('one tenant: through its page and back, with the groups of all pages', async (t) => {
  const { provider, signIn } = await start(t)
  provider.says.groups = ['g1', 'g2', 'g3', 'g4', 'g5']
  const user = await signIn()
  assert.deepEqual(user?.['groups'], ['g1', 'g2', 'g3', 'g4', 'g5'])
  assert.deepEqual(
    [user['provider'], user['user_id'], user['name'], user['email']],
    ['microsoftonline', 'oid-1', 'Mi Soft', 'mi@tenant.example'],
  )
  assert.ok(provider.asked[0]?.get('nonce'))
  assert.ok(provider.asked[0]?.get('state'))
})

const BAD_CLAIMS: [what: string, claims: Record<string, unknown>][] = [
  ['for another client', { aud: 'somebody-else' }],
  ['that is over', { exp: Math.floor(Date.now() / 1_000) - 3_600 }],
  ['with another nonce', { nonce: 'x' }],
  ['of another user than the profile', { oid: 'oid-2' }],
]
test('a token that is not right signs nobody in', async (t) => {
  const { provider, signIn } = await start(t)
  for (const [what, claims] of BAD_CLAIMS) {
    provider.says.claims = claims
    assert.equal(await signIn(), undefined, what)
  }
  provider.says.claims = foreignTenant(provider)
  assert.equal(await signIn(), undefined, 'of another tenant')
  provider.says.claims = {}
  provider.says.usesForeignKey = true
  assert.equal(await signIn(), undefined, 'with a foreign signature')
  provider.says.usesForeignKey = false
  assert.ok(await signIn())
})

test('keys that change count within seconds', async (t) => {
  const { provider, signIn, passTime } = await start(t)
  assert.ok(await signIn())
  provider.rotateKeys()
  passTime(10_000)
  assert.ok(await signIn())
})

test('of a shared tenant an address counts only when its domain is verified', async (t) => {
  const { provider, signIn } = await start(t, 'common')
  assert.equal((await signIn())?.['email'], '')
  provider.says.claims = { email: 'ceo@acme.example' }
  assert.equal((await signIn())?.['email'], '')
  provider.says.claims = { email: 'mi@acme.example', xms_edov: true }
  assert.equal((await signIn())?.['email'], 'mi@acme.example')
  provider.says.claims = foreignTenant(provider)
  assert.ok(await signIn(), 'every tenant may sign in')
  provider.says.claims = { ...foreignTenant(provider), tid: TENANT }
  assert.equal(await signIn(), undefined, 'the issuer of one tenant speaks for another')
})
