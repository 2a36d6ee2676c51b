import type { TestContext } from 'node:test'
import { startTestApi, type TestApi } from './api.js'
import { freePort } from './free-port.js'
import { createHttpBrowser, linkOf, type HttpBrowser, type Page } from './http-browser.js'
import { flagsOf, startSignInProvider, type SignInProvider } from './sign-in-provider.js'

/** An api whose people sign in at a provider of the test's, and a browser. */
export interface SignInWorld {
  api: TestApi
  provider: SignInProvider
  browser: HttpBrowser
  /** From the sign-in page through the provider and back. */
  signIn(browser?: HttpBrowser, next?: string): Promise<Page>
  user(browser?: HttpBrowser): Promise<Record<string, unknown>>
}

export async function startSignInWorld(
  t: TestContext,
  name: 'github' | 'gitlab',
  { now, flags = {} }: { now?: () => number; flags?: Record<string, string[]> } = {},
): Promise<SignInWorld> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const provider = await startSignInProvider(t, { callbackUrl: `${url}/auth/${name}/callback` })
  const api = await startTestApi(t, {
    flags: {
      ...flagsOf(name, provider),
      'oauth-callback-url': [`${url}/`],
      port: [String(port)],
      ...flags,
    },
    ...(now && { deps: { now } }),
  })
  const browser = createHttpBrowser()
  const title = { github: 'GitHub', gitlab: 'GitLab' }[name]
  return {
    ...{ api, provider, browser },
    async signIn(other = browser, next = '') {
      const login = await other.open(`${url}/auth/login${next}`)
      const consent = await other.open(linkOf(login, `Sign in with ${title}`))
      return other.open(linkOf(consent, 'Authorise'))
    },
    async user(other = browser) {
      const { status, text } = await other.open(`${url}/auth/user`)
      return { status, ...(JSON.parse(text) as object) }
    },
  }
}
