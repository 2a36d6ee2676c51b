import { isIP } from 'node:net'
import { compileAccessRule } from '../access-rule.js'
import { errorMessage } from '../errors.js'
import type { Flag, FlagTable } from './flag.js'
import { boolean, checked, duration, list, quote, text, type Kind } from './kinds.js'

export interface BasicAuth {
  user: string
  password: string
}

/** `user:password`, split at the first colon. Errors never show it. */
const basicAuth: Kind<BasicAuth> = {
  ...checked(text, (value) => {
    const at = value.indexOf(':')
    if (at < 0) throw new Error("invalid basic auth format: expected 'username:password'")
    const [user, password] = [value.slice(0, at), value.slice(at + 1)]
    if (user === '' || password === '')
      throw new Error('basic auth username and password cannot be empty')
    return { user, password }
  }),
  placeholder: 'USER:PASSWORD',
}

/** The address of a server, without a slash at its end. */
const baseUrl: Kind<string> = checked(text, (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash)
    return value.replace(/\/+$/, '')
  throw new Error(`expected an http:// or https:// URL, got ${quote(value)}`)
})

/** Keys are derived from it: what can be guessed would let everybody in. */
const MIN_SECRET_BYTES = 32

const sessionSecret: Kind<string> = checked(text, (value) => {
  const bytes = Buffer.byteLength(value)
  if (bytes >= MIN_SECRET_BYTES) return value
  throw new Error(
    `CI_OAUTH_SESSION_SECRET must be at least ${MIN_SECRET_BYTES} bytes (got ${bytes}); generate with: openssl rand -base64 48`,
  )
})

/** A tenant's id or domain, or one of the names that stand for many. */
const tenant: Kind<string> = checked(text, (value) => {
  if (/^[a-z0-9][a-z0-9.-]{0,252}$/i.test(value)) return value
  throw new Error(`expected a tenant's id or domain, got ${quote(value)}`)
})

/** An expression over whoever signs in. */
const accessRule = (what: string): Kind<string> =>
  checked(text, (value) => {
    try {
      if (value !== '') compileAccessRule(value)
      return value
    } catch (error) {
      throw new Error(`invalid ${what} RBAC expression: ${errorMessage(error)}`, { cause: error })
    }
  })

/** Names that stand for well-known networks. */
const NETWORKS = ['loopback', 'linklocal', 'uniquelocal']

/** Addresses and networks of proxies. */
const networks: Kind<string[]> = checked(list, (values) =>
  values.map((value) => {
    const [address = '', bits] = value.split('/')
    const family = isIP(address)
    const max = family === 4 ? 32 : 128
    const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= max)
    if (NETWORKS.includes(value) || (family !== 0 && isNetwork)) return value
    throw new Error(
      `expected an address, a network such as 10.0.0.0/8, or ${NETWORKS.join(', ')}; got ${quote(value)}`,
    )
  }),
)

const group = 'Access'

/** Who may use a server. */
export const AUTH_FLAGS = {
  'basic-auth': {
    kind: basicAuth,
    env: 'CI_BASIC_AUTH',
    doc: 'username:password that protects the server',
    group,
  },
  'oauth-github-client-id': client('GITHUB_CLIENT_ID', 'GitHub sign-in: client id'),
  'oauth-github-client-secret': client('GITHUB_CLIENT_SECRET', 'GitHub sign-in: client secret'),
  'oauth-github-url': {
    kind: baseUrl,
    env: 'CI_OAUTH_GITHUB_URL',
    default: 'https://github.com',
    doc: 'GitHub Enterprise Server',
    group,
  },
  'oauth-gitlab-client-id': client('GITLAB_CLIENT_ID', 'GitLab sign-in: client id'),
  'oauth-gitlab-client-secret': client('GITLAB_CLIENT_SECRET', 'GitLab sign-in: client secret'),
  'oauth-gitlab-url': {
    kind: baseUrl,
    env: 'CI_OAUTH_GITLAB_URL',
    default: 'https://gitlab.com',
    doc: 'self-hosted GitLab',
    group,
  },
  'oauth-microsoft-client-id': client('MICROSOFT_CLIENT_ID', 'Microsoft sign-in: client id'),
  'oauth-microsoft-client-secret': client(
    'MICROSOFT_CLIENT_SECRET',
    'Microsoft sign-in: client secret',
  ),
  'oauth-microsoft-tenant': {
    kind: tenant,
    env: 'CI_OAUTH_MICROSOFT_TENANT',
    default: 'common',
    doc: 'the tenant whose users may sign in: its id; common is all of them',
    group,
  },
  'oauth-microsoft-authority': {
    kind: baseUrl,
    env: 'CI_OAUTH_MICROSOFT_AUTHORITY',
    default: 'https://login.microsoftonline.com',
    doc: 'where Microsoft signs people in, for national clouds',
    group,
  },
  'oauth-session-secret': {
    kind: sessionSecret,
    env: 'CI_OAUTH_SESSION_SECRET',
    doc: 'signs sessions and tokens; needed with OAuth, at least 32 bytes',
    group,
  },
  'oauth-callback-url': {
    kind: baseUrl,
    env: 'CI_OAUTH_CALLBACK_URL',
    doc: 'address of this server as browsers see it; needed with OAuth',
    group,
  },
  'secure-cookies': {
    kind: boolean,
    env: 'CI_SECURE_COOKIES',
    default: 'false',
    doc: 'let browsers send cookies over TLS alone',
    group,
  },
  'server-rbac': {
    kind: accessRule('server'),
    env: 'CI_SERVER_RBAC',
    doc: 'expression that says which of the people who sign in are let in',
    group,
  },
  'audit-rbac': {
    kind: accessRule('audit'),
    env: 'CI_AUDIT_RBAC',
    doc: 'expression that says which of the people who sign in read the whole audit log',
    group,
  },
  'audit-retention': {
    kind: duration({ min: '1h', max: '87600h' }),
    env: 'CI_AUDIT_RETENTION',
    default: '8760h',
    doc: 'how long entries of the audit log are kept',
    group,
  },
  'trusted-proxies': {
    kind: networks,
    env: 'CI_TRUSTED_PROXIES',
    doc: 'proxies whose X-Forwarded-For says where a request comes from: addresses, networks, loopback',
    group,
  },
} as const satisfies FlagTable

function client(env: string, doc: string): Flag<string> {
  return { kind: text, env: `CI_OAUTH_${env}`, doc, group }
}
