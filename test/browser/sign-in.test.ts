import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { openBrowser } from '../helpers/browser.js'
import { freePort } from '../helpers/free-port.js'
import { startServer } from '../helpers/server.js'
import {
  flagsOf,
  startSignInProvider,
  TENANT,
  type SignInProvider,
} from '../helpers/sign-in-provider.js'

const PROVIDERS = [
  { name: 'github', segment: 'github', title: 'GitHub', nick: 'octocat' },
  { name: 'gitlab', segment: 'gitlab', title: 'GitLab', nick: 'tanuki' },
  {
    name: 'microsoft',
    segment: 'microsoftonline',
    title: 'Microsoft',
    nick: 'mi@tenant.example',
  },
] as const

for (const { name, segment, title, nick } of PROVIDERS)
  test(`a person signs in with ${title}, denies, and signs out, in a real browser`, async (t) => {
    const { server, page } = await start(t, name, segment)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))

    await page.goto(`${server.url}/pipelines/?q=x`)
    await page.getByRole('link', { name: `Sign in with ${title}` }).click()
    await page.getByRole('link', { name: 'Deny' }).click()
    await page.getByRole('alert').getByText('The sign-in failed').waitFor()

    await page.goto(`${server.url}/pipelines/?q=x`)
    await page.getByRole('link', { name: `Sign in with ${title}` }).click()
    await page.getByRole('link', { name: 'Authorise' }).click()
    await page.getByText(nick, { exact: true }).waitFor()
    assert.equal(page.url(), `${server.url}/pipelines/?q=x`)

    await page.getByRole('link', { name: 'Logout' }).click()
    await page.getByRole('button', { name: 'Sign out here' }).click()
    await page.getByRole('link', { name: `Sign in with ${title}` }).waitFor()
    await page.goto(`${server.url}/pipelines/`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.deepEqual(problems, [])
  })

async function start(
  t: TestContext,
  name: 'github' | 'gitlab' | 'microsoft',
  segment: string,
): Promise<{ server: { url: string }; provider: SignInProvider; page: Page }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const callbackUrl = `${url}/auth/${segment}/callback`
  const provider = await startSignInProvider(t, { callbackUrl, isTls: name === 'microsoft' })
  const flags = {
    ...flagsOf(name, provider),
    'oauth-callback-url': [url],
    'oauth-microsoft-tenant': [TENANT],
    port: [String(port)],
  }
  const server = await startServer(t, {
    args: Object.entries(flags).map(([flag, values]) => `--${flag}=${values.join(',')}`),
    env: { NODE_EXTRA_CA_CERTS: provider.certFile },
  })
  const context = await (await openBrowser(t)).newContext({ ignoreHTTPSErrors: true })
  return { server, provider, page: await context.newPage() }
}
