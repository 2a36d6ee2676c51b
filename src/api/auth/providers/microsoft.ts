import { callbackify } from 'node:util'
import { z } from 'zod'
import type { Config } from '../../../shared/config/config.js'
import type { Profile } from '../../../shared/db/users.js'
import { fetchJson, fetchPages } from './fetch-pages.js'
import type { Provider, ProviderClient } from './provider.js'

const metadataSchema = z.object({ msgraph_host: z.string().regex(/^[a-z0-9.-]+(:\d+)?$/i) })
const claimsSchema = z.looseObject({
  iss: z.string(),
  tid: z.string(),
  oid: z.string(),
  email: z.string().optional(),
  /** The owner of the address's domain has been verified. */
  xms_edov: z.union([z.boolean(), z.string(), z.number()]).optional(),
})
const meSchema = z.looseObject({
  id: z.string(),
  displayName: z.string().nullish(),
  userPrincipalName: z.string().nullish(),
})
const groupsSchema = z.object({
  value: z.array(z.object({ id: z.string() })),
  '@odata.nextLink': z.string().optional(),
})

/** Tenants that stand for many: what one of them says about an address binds nobody. */
const SHARED_TENANTS = new Set(['common', 'organizations', 'consumers'])

/** How long somebody may take at Microsoft's page. */
const SIGN_IN_SECONDS = 600

/**
 * The package keeps a tenant's keys for half an hour under the address they came from. A new address every
 * ten seconds lets new keys count at once; there are few of them, since it forgets none.
 */
const KEYS_SLOT_MS = 10_000
const KEYS_SLOTS = 360

/** Microsoft Entra: one tenant, or those of everybody. */
export function createMicrosoftProvider(
  client: ProviderClient,
  options: NonNullable<Config['auth']['oauth']>['microsoft'] & object,
  now: () => number,
): Provider {
  const { tenant, authority } = options
  const metadataUrl = `${authority}/${encodeURIComponent(tenant)}/v2.0/.well-known/openid-configuration`
  const isShared = SHARED_TENANTS.has(tenant)
  return {
    name: 'microsoftonline',
    title: 'Microsoft',
    async createStrategy() {
      // large, old and loud about its own imports: nobody else pays for it
      const { default: azure } = await import('passport-azure-ad')
      const slot = Math.floor(now() / KEYS_SLOT_MS) % KEYS_SLOTS
      return new azure.OIDCStrategy(
        {
          identityMetadata: `${metadataUrl}?slot=${slot}`,
          clientID: client.clientId,
          clientSecret: client.clientSecret,
          responseType: 'code',
          responseMode: 'query',
          redirectUrl: client.callbackUrl,
          allowHttpForRedirectUrl: true,
          // of a shared tenant the issuer is that of the user's own, which toProfile checks
          validateIssuer: !isShared,
          scope: ['openid', 'profile', 'email', 'offline_access', 'user.read'],
          sessionKey: 'microsoft',
          nonceLifetime: SIGN_IN_SECONDS,
          loggingLevel: 'error',
        },
        (_iss, _sub, { _json: claims }, accessToken, _refreshToken, done) => {
          callbackify(() => toProfile({ metadataUrl, authority, isShared }, accessToken, claims))(
            done,
          )
        },
      )
    },
  }
}

interface Tenant {
  metadataUrl: string
  authority: string
  isShared: boolean
}

/** The claims are those of a token whose signature, audience, times and nonce are good. */
async function toProfile(tenant: Tenant, accessToken: string, given: unknown): Promise<Profile> {
  const claims = claimsSchema.parse(given)
  // else the keys of one tenant would speak for all of them
  if (claims.iss !== `${tenant.authority}/${claims.tid}/v2.0`)
    throw new Error(`the issuer of the token is not that of its tenant ${claims.tid}`)
  const { msgraph_host: host } = await fetchJson(tenant.metadataUrl, undefined, metadataSchema)
  const graphUrl = `https://${host}/v1.0`
  const me = await fetchJson(`${graphUrl}/me`, accessToken, meSchema)
  if (me.id !== claims.oid) throw new Error('the token and the profile are not of one user')
  return {
    provider: 'microsoftonline',
    userId: claims.oid,
    email: findEmail(tenant, claims, me.userPrincipalName ?? ''),
    name: me.displayName ?? '',
    nickName: me.userPrincipalName ?? '',
    avatarUrl: '',
    organizations: [],
    groups: await listGroups(graphUrl, accessToken),
    rawData: { ...me, tid: claims.tid },
  }
}

/**
 * An admin of any tenant can write any address into `mail`. What counts is an address whose domain is
 * verified, or a name within the one tenant that may sign in; a guest's name there is none.
 */
function findEmail(
  { isShared }: Tenant,
  { email = '', xms_edov: isVerified }: z.infer<typeof claimsSchema>,
  principal: string,
): string {
  if (email !== '' && ['true', '1'].includes(String(isVerified).toLowerCase())) return email
  return isShared || principal.includes('#EXT#') ? '' : principal
}

/** By id: names of groups are neither unique nor for ever. */
function listGroups(graphUrl: string, accessToken: string): Promise<string[]> {
  return fetchPages(accessToken, {
    first: `${graphUrl}/me/memberOf?$select=id&$top=999`,
    schema: groupsSchema,
    itemsOf: ({ value }) => value.map(({ id }) => id),
    next({ '@odata.nextLink': link }) {
      if (link === undefined || link.startsWith(`${graphUrl}/`)) return link
      throw new Error('the list of groups goes on at another server')
    },
  })
}
