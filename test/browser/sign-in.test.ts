import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { openBrowser } from '../helpers/browser.js'
import { freePort } from '../helpers/free-port.js'
import { trigger } from '../helpers/runs.js'
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

test('no page needs anything that its security policy forbids', async (t) => {
  const { server, page } = await start(t, 'github', 'github')
  const problems: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) problems.push(message.text())
  })
  await page.goto(`${server.url}/auth/login?error=auth_failed`)
  await page.getByRole('link', { name: 'Sign in with GitHub' }).click()
  await page.getByRole('link', { name: 'Authorise' }).click()
  await page.getByText('octocat', { exact: true }).waitFor()
  const { request } = page.context()
  const content = "export const pipeline = async () => { console.log('hi') }"
  const set = await request.put(`${server.url}/api/pipelines/p`, { data: { content } })
  const { id } = (await set.json()) as { id: string }
  const triggered = await request.post(`${server.url}/api/pipelines/p/trigger`)
  const { run_id: run } = (await triggered.json()) as { run_id: string }
  const shared = await request.post(`${server.url}/api/runs/${run}/share`)
  const { share_path: share } = (await shared.json()) as { share_path: string }
  const begun = await request.post(`${server.url}/auth/cli/begin`)
  const { code } = (await begun.json()) as { code: string }
  for (const path of [
    ...['/pipelines/', `/pipelines/${id}/`, `/runs/${run}/tasks`, share, '/auth/logout'],
    ...[`/auth/cli/approve?code=${code}`, '/runs/none/tasks', '/nowhere'],
  ]) {
    await page.goto(server.url + path)
    await page.locator('h1').first().waitFor()
    const inline = await page.evaluate(
      () => document.querySelectorAll('script:not([src]), style, [style], [onclick]').length,
    )
    assert.equal(inline, 0, path)
  }
  await page.goto(`${server.url}/auth/cli/approve?code=${code}`)
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByText('Return to your terminal.').waitFor()
  assert.deepEqual(problems, [])
})

test('the share button of a run copies a link that a stranger can open', async (t) => {
  const server = await startServer(t)
  const id = await server.setPipeline(
    'p',
    "export const pipeline = async () => { console.log('hi') }",
  )
  const runId = await trigger(server, id)
  const browser = await openBrowser(t)
  const context = await browser.newContext({
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const page = await context.newPage()
  await page.goto(`${server.url}/runs/${runId}/tasks`)
  await page.getByRole('button', { name: 'Share' }).click()
  await page.getByText('Share link copied!').waitFor()
  const link = await page.evaluate(() => navigator.clipboard.readText())
  const stranger = await (await browser.newContext()).newPage()
  await stranger.goto(link)
  await stranger.locator('#tasks-container[data-readonly="true"]').waitFor()
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
