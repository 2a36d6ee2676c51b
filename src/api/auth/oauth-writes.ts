import {
  createOauthClients,
  type OauthClient,
  type OauthCode,
} from '../../shared/db/oauth-clients.js'
import { createOauthGrants, type OauthGrant } from '../../shared/db/oauth-grants.js'
import type { Db } from '../../shared/db/open.js'

/** Registered at the same time: whoever asks for more gets none. */
const MAX_CLIENTS = 1_000
/** Of one user. */
const MAX_GRANTS = 50
const DAY_MS = 86_400_000
/** How long a client is known that people use. */
const USED_CLIENT_MS = 90 * DAY_MS

/** What the api changes for clients that people let in: a part of ApiWrites. */
export function createOauthOperations(db: Db) {
  const clients = createOauthClients(db)
  const grants = createOauthGrants(db)

  return {
    /** False: there are too many. */
    registerOauthClient({ client, now }: { client: OauthClient; now: number }): boolean {
      clients.removeExpired(now)
      if (clients.count() >= MAX_CLIENTS) return false
      clients.insert(client)
      return true
    },

    /** False: the client is gone. */
    addOauthCode({ code, now }: AddOauthCode): boolean {
      clients.removeExpiredCodes(now)
      if (!clients.find(code.client, now)) return false
      clients.extend(code.client, now + USED_CLIENT_MS)
      clients.insertCode(code)
      return true
    },

    takeOauthCode: ({ codeHash }: { codeHash: Uint8Array }): OauthCode | undefined =>
      clients.takeCode(codeHash),

    /** False: the client is gone. */
    addOauthGrant({ grant, now }: AddOauthGrant): boolean {
      if (!clients.find(grant.client, now)) return false
      grants.insert(grant)
      grants.removeSurplus(grant.user, MAX_GRANTS, now)
      return true
    },

    /**
     * Exchanges the refresh token of a client's grant for a new one. One that was exchanged before has been
     * seen by somebody else: the grant ends.
     */
    rotateOauthGrant({ hash, client, next, now }: RotateOauthGrant): Rotation {
      const found = grants.findByRefresh(hash, now)
      if (found?.grant.client !== client) return { outcome: 'unknown' }
      const { grant, isFormer } = found
      if (isFormer) {
        grants.remove(grant.id)
        return { outcome: 'reused', grant }
      }
      grants.rotate(grant.id, next)
      clients.extend(client, now + USED_CLIENT_MS)
      return { outcome: 'rotated', grant }
    },
  }
}

interface AddOauthCode {
  code: OauthCode & { codeHash: Uint8Array }
  now: number
}

interface AddOauthGrant {
  grant: OauthGrant & { refreshHash: Uint8Array }
  now: number
}

interface RotateOauthGrant {
  hash: Uint8Array
  client: string
  next: { refreshHash: Uint8Array; expiresAt: number }
  now: number
}

type Rotation = { outcome: 'rotated' | 'reused'; grant: OauthGrant } | { outcome: 'unknown' }
