import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import type {
  OAuthClientInformationMixed,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import type { HttpBrowser, Page } from './http-browser.js'

export const CALLBACK = 'http://127.0.0.1:33418/callback'

/** What the SDK asks of a client with a person at a browser: it keeps what it was given. */
export interface TestAuthProvider extends OAuthClientProvider {
  /** Where the browser was sent. */
  sentTo: URL | undefined
  stored: OAuthTokens | undefined
  client: OAuthClientInformationMixed | undefined
  verifier: string
}

export function createAuthProvider(callback = CALLBACK): TestAuthProvider {
  return {
    sentTo: undefined,
    stored: undefined,
    client: undefined,
    verifier: '',
    redirectUrl: callback,
    clientMetadata: {
      client_name: 'Test <b>agent</b>',
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    state: () => 'state & more',
    clientInformation() {
      return this.client
    },
    saveClientInformation(client) {
      this.client = client
    },
    tokens() {
      return this.stored
    },
    saveTokens(tokens) {
      this.stored = tokens
    },
    redirectToAuthorization(url) {
      this.sentTo = url
    },
    saveCodeVerifier(verifier) {
      this.verifier = verifier
    },
    codeVerifier() {
      return this.verifier
    },
  }
}

/** Presses a button of the consent page; answers where the client is called back. */
export async function answerConsent(
  browser: HttpBrowser,
  { text, url }: Page,
  { answer = 'allow', scopes = [] }: { answer?: 'allow' | 'deny'; scopes?: string[] } = {},
): Promise<URL> {
  const [, sealed] = /name="request" value="([^"]+)"/.exec(text) ?? []
  if (sealed === undefined) throw new Error(`no consent page: ${text}`)
  const form = new URLSearchParams({ request: sealed, answer })
  for (const scope of scopes) form.append('scope', scope)
  const { origin } = new URL(url)
  const { headers, status, ...page } = await browser.open(`${origin}/oauth/authorize`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin },
    body: form,
    follows: false,
  })
  const location = headers.get('location')
  if (location === null) throw new Error(`no redirect but ${status}: ${page.text}`)
  return new URL(location)
}
