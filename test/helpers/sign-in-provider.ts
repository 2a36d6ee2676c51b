import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempDir } from './temp-dir.js'

/** The client that the providers know. */
export const CLIENT = { id: 'client', secret: 'client-secret' }
export const TENANT = '11111111-2222-3333-4444-555555555555'
const OTHER_TENANT = '99999999-2222-3333-4444-555555555555'

/**
 * GitHub, GitLab and Microsoft on loopback, as far as a sign-in meets them, by their documentation:
 * a page to consent or deny, codes that work once, PKCE, exact addresses, tokens, profiles, lists in pages.
 */
export interface SignInProvider {
  url: string
  /** The certificate, where it speaks TLS. */
  certFile: string
  /** What it says about whoever signs in; tests change it. */
  says: {
    emailVerified: boolean
    organizations: string[]
    groups: string[]
    /** Of Microsoft's token, over what is right. */
    claims: Record<string, unknown>
    /** Signs with a key that nobody knows. */
    usesForeignKey: boolean
  }
  /** New keys from now on; the old ones are gone. */
  rotateKeys(): void
  /** The queries of the authorisation requests. */
  asked: URLSearchParams[]
  /** Paths of the requests with a token. */
  read: string[]
}

export interface ProviderOptions {
  callbackUrl: string
  isTls?: boolean
}

interface Grant {
  redirectUri: string
  challenge: string
  nonce: string
}

export async function startSignInProvider(
  t: Pick<TestContext, 'after'>,
  { callbackUrl, isTls = false }: ProviderOptions,
): Promise<SignInProvider> {
  const certificate = isTls ? makeCertificate(tempDir(t)) : undefined
  const codes = new Map<string, Grant>()
  const tokens = new Set<string>()
  let keys = newKeys()
  const foreign = newKeys()
  const provider: SignInProvider = {
    url: '',
    certFile: certificate?.file ?? '',
    says: { emailVerified: true, organizations: [], groups: [], claims: {}, usesForeignKey: false },
    rotateKeys: () => (keys = newKeys()),
    asked: [],
    read: [],
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', provider.url)
    const path = url.pathname
    if (path.endsWith('/authorize')) return authorize(url, response)
    if (path === '/grant') return grant(url, response)
    if (path.endsWith('/access_token') || path.endsWith('/token'))
      return json(response, ...exchange(path, new URLSearchParams(await bodyOf(request)), request))
    if (path.endsWith('/.well-known/openid-configuration')) return json(response, 200, metadata())
    if (path.endsWith('/keys')) return json(response, 200, { keys: [keys.jwk] })
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (!tokens.has(token)) return json(response, 401, { message: 'Bad credentials' })
    provider.read.push(request.url ?? '')
    const found = resource(url)
    return json(response, found === undefined ? 404 : 200, found)
  }

  function authorize({ searchParams: query }: URL, response: ServerResponse): void {
    provider.asked.push(query)
    if (query.get('client_id') !== CLIENT.id || query.get('redirect_uri') !== callbackUrl)
      return json(response, 400, { error: 'redirect_uri mismatch' })
    const link = (answer: string): string =>
      `<a href="/grant?${new URLSearchParams({ answer, query: query.toString() })}">${answer}</a>`
    response.setHeader('Content-Type', 'text/html')
    response.end(`<h1>Authorise?</h1>${link('Authorise')} ${link('Deny')}`)
  }

  function grant({ searchParams }: URL, response: ServerResponse): void {
    const query = new URLSearchParams(searchParams.get('query') ?? '')
    const target = new URL(callbackUrl)
    target.searchParams.set('state', query.get('state') ?? '')
    if (searchParams.get('answer') === 'Deny') {
      target.searchParams.set('error', 'access_denied')
      target.searchParams.set('error_description', 'The user has denied access')
    } else {
      const code = randomBytes(16).toString('hex')
      const challenge = query.get('code_challenge') ?? ''
      codes.set(code, { redirectUri: callbackUrl, challenge, nonce: query.get('nonce') ?? '' })
      target.searchParams.set('code', code)
    }
    response.writeHead(302, { Location: target.href }).end()
  }

  function exchange(
    path: string,
    form: URLSearchParams,
    request: IncomingMessage,
  ): [status: number, body: unknown] {
    const [, encoded = ''] = (request.headers.authorization ?? '').split(' ')
    const [basicId = '', basicSecret = ''] = Buffer.from(encoded, 'base64').toString().split(':')
    const id = form.get('client_id') || basicId
    const secret = form.get('client_secret') || decodeURIComponent(basicSecret)
    const code = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const isKnown = id === CLIENT.id && secret === CLIENT.secret
    const verifier = createHash('sha256').update(form.get('code_verifier') ?? '')
    const isProven = !code?.challenge || verifier.digest('base64url') === code.challenge
    if (!isKnown || !code || !isProven || form.get('redirect_uri') !== code.redirectUri)
      return [path.endsWith('/access_token') ? 200 : 400, { error: 'bad_verification_code' }]
    const token = randomBytes(16).toString('hex')
    tokens.add(token)
    const idToken = path.includes('/v2.0/') ? { id_token: signIdToken(code.nonce) } : {}
    return [200, { access_token: token, token_type: 'bearer', expires_in: 3600, ...idToken }]
  }

  function resource({ pathname, searchParams }: URL): unknown {
    const { emailVerified, organizations, groups } = provider.says
    const page = Number(searchParams.get('page') ?? 1)
    switch (pathname) {
      case '/api/v3/user':
        return {
          id: 583_231,
          login: 'octocat',
          name: 'Octo Cat',
          avatar_url: 'https://a.example/1',
        }
      case '/api/v3/user/emails':
        return [
          { email: 'old@example.com', primary: false, verified: true },
          { email: 'octo@example.com', primary: true, verified: emailVerified },
        ]
      case '/api/v3/user/orgs':
        return organizations.slice((page - 1) * 100, page * 100).map((login) => ({ login }))
      case '/api/v4/user':
        return {
          ...{ id: 42, username: 'tanuki', name: 'Ta Nuki', email: 'tanuki@example.com' },
          confirmed_at: emailVerified ? '2020-01-01T00:00:00Z' : null,
        }
      case '/oauth/userinfo':
        return { sub: '42', groups }
      case '/v1.0/me':
        return { id: 'oid-1', displayName: 'Mi Soft', userPrincipalName: 'mi@tenant.example' }
      case '/v1.0/me/memberOf': {
        const more = groups.length > page * 2
        const next = `${provider.url}/v1.0/me/memberOf?page=${page + 1}`
        return {
          value: groups.slice((page - 1) * 2, page * 2).map((id) => ({ id })),
          ...(more && { '@odata.nextLink': next }),
        }
      }
    }
    return undefined
  }

  function metadata() {
    const base = `${provider.url}/${TENANT}`
    return {
      issuer: `${base}/v2.0`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
      msgraph_host: new URL(provider.url).host,
    }
  }

  function signIdToken(nonce: string): string {
    const now = Math.floor(Date.now() / 1_000)
    const { claims, usesForeignKey } = provider.says
    const payload = {
      ...{ iss: `${provider.url}/${TENANT}/v2.0`, aud: CLIENT.id, sub: 'sub-1', oid: 'oid-1' },
      ...{ tid: TENANT, nonce, iat: now, nbf: now, exp: now + 3600 },
      ...claims,
    }
    const head = { alg: 'RS256', typ: 'JWT', kid: keys.jwk.kid }
    const text = [head, payload].map((part) => toBase64(JSON.stringify(part))).join('.')
    const { privateKey } = usesForeignKey ? foreign : keys
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void handle(request, response)
  const server = certificate ? createTlsServer(certificate, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  // listening on TCP: the address is no pipe's name
  const { port } = server.address() as AddressInfo
  provider.url = `${isTls ? 'https' : 'http'}://127.0.0.1:${port}`
  return provider
}

/** The issuer and tenant of a token of somebody else's tenant. */
export function foreignTenant({ url }: SignInProvider): Record<string, unknown> {
  return { iss: `${url}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT }
}

/** The flags of a server whose people sign in here. */
export function flagsOf(name: 'github' | 'gitlab' | 'microsoft', provider: SignInProvider) {
  return {
    [`oauth-${name}-client-id`]: [CLIENT.id],
    [`oauth-${name}-client-secret`]: [CLIENT.secret],
    [`oauth-${name}-${name === 'microsoft' ? 'authority' : 'url'}`]: [provider.url],
    'oauth-session-secret': ['0123456789abcdef0123456789abcdef'],
  }
}

function newKeys(): { privateKey: KeyObject; jwk: Record<string, unknown> & { kid: string } } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomBytes(8).toString('hex')
  return {
    privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' },
  }
}

function makeCertificate(dir: string): { key: Buffer; cert: Buffer; file: string } {
  const [keyFile, file] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', keyFile, '-out', file],
    ],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(keyFile), cert: readFileSync(file), file }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body ?? {}))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const part of request) body += String(part)
  return body
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64url')
}
