import type { Actor } from '../../shared/authorize.js'
import type { OauthGrant, OauthGrants } from '../../shared/db/oauth-grants.js'
import type { User, Users } from '../../shared/db/users.js'
import { signJwt, verifyJwt } from './jwt.js'

const AUDIENCE = 'mcp'

/** Access tokens are short: a client has a refresh token for the next. */
export const ACCESS_LIFE_MS = 3_600_000

/** An access token for `/mcp`. It works as long as its grant does. */
export async function signMcpToken(
  key: Buffer,
  { grant, user, now }: { grant: OauthGrant; user: User; now: number },
): Promise<string> {
  const { id, scopes } = grant
  const times = { createdAt: now, expiresAt: now + ACCESS_LIFE_MS }
  return await signJwt(key, { audience: AUDIENCE, id, user, more: { scopes }, ...times })
}

/** Whom such a token stands for; undefined for one that is no good. */
export async function identifyMcpToken(
  { grants, users }: { grants: OauthGrants; users: Users },
  { bearer, key, now }: { bearer: string; key: Buffer; now: number },
): Promise<Actor | undefined> {
  const id = await verifyJwt(key, { bearer, audience: AUDIENCE, now })
  const grant = id === undefined ? undefined : grants.find(id, now)
  const user = grant && users.find(grant.user)
  return user && { kind: 'user', user, scopes: grant.scopes }
}
