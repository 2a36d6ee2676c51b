import type { Config } from './config.js'
import type { AUTH_FLAGS } from './auth-flags.js'
import type { ValuesOf } from './flag.js'

type Values = ValuesOf<typeof AUTH_FLAGS>
type Oauth = NonNullable<Config['auth']['oauth']>

/** Faults between the flags of sign-in, each of which is good by itself. */
export function findAuthConflicts(values: Partial<Values>): string[] {
  const halves = PROVIDERS.flatMap((name) => {
    const id = values[`oauth-${name}-client-id`]
    const secret = values[`oauth-${name}-client-secret`]
    if (Boolean(id) === Boolean(secret)) return []
    const [given, missing] = id ? ['id', 'secret'] : ['secret', 'id']
    return [`--oauth-${name}-client-${given} is set without --oauth-${name}-client-${missing}`]
  })
  if (!PROVIDERS.some((name) => hasProvider(values, name)))
    return [
      ...halves,
      ...(['server-rbac', 'audit-rbac'] as const)
        .filter((flag) => values[flag])
        .map((flag) => `--${flag} needs an OAuth provider: it is about people who sign in`),
    ]
  const needed = [
    ...(values['oauth-session-secret'] ? [] : ['CI_OAUTH_SESSION_SECRET']),
    ...(values['oauth-callback-url'] ? [] : ['CI_OAUTH_CALLBACK_URL']),
  ]
  return [
    ...halves,
    ...(values['basic-auth']
      ? [
          'basic auth and OAuth providers cannot be used together: choose one authentication method (--basic-auth or --oauth-…)',
        ]
      : []),
    ...needed.map((name) => `${name} is required when OAuth providers are configured`),
  ]
}

/** Who may use the server. */
export function toAuthConfig(values: Values): Config['auth'] {
  const basic = values['basic-auth']
  const oauth = toOauth(values)
  const serverRule = values['server-rbac'] ?? ''
  return {
    ...(basic && { basic }),
    ...(oauth && { oauth }),
    serverRule,
    auditRule: values['audit-rbac'] ?? '',
    auditRetentionMs: values['audit-retention'],
  }
}

const PROVIDERS = ['github', 'gitlab', 'microsoft'] as const

function hasProvider(values: Partial<Values>, name: (typeof PROVIDERS)[number]): boolean {
  return Boolean(values[`oauth-${name}-client-id`] && values[`oauth-${name}-client-secret`])
}

function toOauth(values: Values): Oauth | undefined {
  const sessionSecret = values['oauth-session-secret']
  const callbackUrl = values['oauth-callback-url']
  if (!PROVIDERS.some((name) => hasProvider(values, name)) || !sessionSecret || !callbackUrl)
    return undefined
  const clientOf = (name: (typeof PROVIDERS)[number]) => ({
    clientId: values[`oauth-${name}-client-id`] ?? '',
    clientSecret: values[`oauth-${name}-client-secret`] ?? '',
  })
  return {
    ...{ sessionSecret, callbackUrl, isSecure: values['secure-cookies'] },
    ...(hasProvider(values, 'github') && {
      github: { ...clientOf('github'), url: values['oauth-github-url'] },
    }),
    ...(hasProvider(values, 'gitlab') && {
      gitlab: { ...clientOf('gitlab'), url: values['oauth-gitlab-url'] },
    }),
    ...(hasProvider(values, 'microsoft') && {
      microsoft: {
        ...clientOf('microsoft'),
        tenant: values['oauth-microsoft-tenant'],
        authority: values['oauth-microsoft-authority'],
      },
    }),
  }
}
