import { z } from 'zod'
import { SCOPES, type Scope } from '../contract/scopes.js'
import type { Db } from './open.js'

/** What a client may do for somebody, and where. */
export interface OauthGrant {
  id: string
  client: string
  user: number
  scopes: Scope[]
  resource: string
  expiresAt: number
}

export type OauthGrants = ReturnType<typeof createOauthGrants>

/** The SQL of table `oauth_grants`. */
export function createOauthGrants(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into oauth_grants (id, client, user, scopes, resource, refresh_hash, expires_at)
     values (@id, @client, @user, @scopes, @resource, @refreshHash, @expiresAt)`,
  )
  const byId = db.prepare<[string, number], Row>(
    `select ${COLUMNS} from oauth_grants where id = ? and expires_at > ?`,
  )
  const byRefresh = db.prepare<[{ hash: Uint8Array; now: number }], Row & { isFormer: 0 | 1 }>(
    `select ${COLUMNS}, refresh_hash <> @hash as isFormer from oauth_grants
     where (refresh_hash = @hash or former_hash = @hash) and expires_at > @now`,
  )
  const rotate = db.prepare<[Record<string, unknown>]>(
    `update oauth_grants set former_hash = refresh_hash, refresh_hash = @refreshHash,
       expires_at = @expiresAt where id = @id`,
  )
  const remove = db.prepare<[string]>('delete from oauth_grants where id = ?')
  const removeOf = db.prepare<[number]>('delete from oauth_grants where user = ?')
  const removeExpired = db.prepare<[number]>('delete from oauth_grants where expires_at <= ?')
  const removeOldest = db.prepare<[{ user: number; keep: number }]>(
    `delete from oauth_grants where seq in (
       select seq from oauth_grants where user = @user order by seq desc limit -1 offset @keep)`,
  )

  return {
    insert: ({ scopes, ...grant }: OauthGrant & { refreshHash: Uint8Array }): void =>
      void insert.run({ ...grant, scopes: JSON.stringify(scopes) }),

    /** Unless its time is over. */
    find: (id: string, now: number): OauthGrant | undefined => fromRow(byId.get(id, now)),

    /** Whose refresh token it is, or was until the last use. */
    findByRefresh(
      hash: Uint8Array,
      now: number,
    ): { grant: OauthGrant; isFormer: boolean } | undefined {
      const row = byRefresh.get({ hash, now })
      if (!row) return undefined
      const { isFormer, ...grant } = row
      return { grant: fromRow(grant), isFormer: isFormer === 1 }
    },

    rotate: (id: string, next: { refreshHash: Uint8Array; expiresAt: number }): void =>
      void rotate.run({ id, ...next }),

    remove: (id: string): void => void remove.run(id),
    removeOf: (user: number): void => void removeOf.run(user),

    /** Clears away what is over, and of a user all but the newest. */
    removeSurplus(user: number, keep: number, now: number): void {
      removeExpired.run(now)
      removeOldest.run({ user, keep })
    },
  }
}

const COLUMNS = 'id, client, user, scopes, resource, expires_at as expiresAt'

type Row = Omit<OauthGrant, 'scopes'> & { scopes: string }

const scopesSchema = z.array(z.enum(SCOPES))

function fromRow(row: Row): OauthGrant
function fromRow(row: Row | undefined): OauthGrant | undefined
function fromRow(row: Row | undefined): OauthGrant | undefined {
  return row && { ...row, scopes: scopesSchema.parse(JSON.parse(row.scopes)) }
}
