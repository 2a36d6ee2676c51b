import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { openBrowser } from '../helpers/browser.js'
import { freePort } from '../helpers/free-port.js'
import { startHttpStandIn } from '../helpers/http-stand-in.js'
import { toMcpClient } from '../helpers/mcp-client.js'
import { createAuthProvider } from '../helpers/mcp-oauth.js'
import { startServer } from '../helpers/server.js'
import { flagsOf, startSignInProvider } from '../helpers/sign-in-provider.js'

test('a person lets an MCP client in, in a real browser, for what they tick', async (t) => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const provider = await startSignInProvider(t, { callbackUrl: `${url}/auth/github/callback` })
  const flags = {
    ...flagsOf('github', provider),
    'oauth-callback-url': [url],
    port: [String(port)],
  }
  await startServer(t, {
    args: Object.entries(flags).map(([flag, values]) => `--${flag}=${values.join(',')}`),
  })
  const program = await startHttpStandIn(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end('<h1>You can close this window</h1>')
  })
  const authProvider = createAuthProvider(`${program.url}/callback`)
  const endpoint = new URL(`${url}/mcp`)
  const asking = new StreamableHTTPClientTransport(endpoint, { authProvider })
  await assert.rejects(new Client({ name: 'a', version: '1' }).connect(asking), UnauthorizedError)

  const page = await (await openBrowser(t)).newPage()
  await page.goto(authProvider.sentTo?.href ?? '')
  await page.getByRole('link', { name: 'Sign in with GitHub' }).click()
  await page.getByRole('link', { name: 'Authorise' }).click()
  await page.getByText('Test <b>agent</b>').waitFor()
  await page.getByLabel('Start, stop and repeat runs').check()
  // the policy of the page lets the answer lead to the program
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByText('You can close this window').waitFor()

  await asking.finishAuth(new URL(page.url()).searchParams.get('code') ?? '')
  const client = new Client({ name: 'a', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(endpoint, { authProvider }))
  t.after(() => client.close())
  const { toolNames, fail } = toMcpClient(client)
  const names = await toolNames()
  assert.deepEqual(
    ['get_run', 'trigger_run', 'approve_gate'].map((name) => names.includes(name)),
    [true, true, false],
  )
  assert.match(await fail('set_pipeline', { name: 'p', content: 'x' }), /not good for ci:write/)
})
