import { z } from 'zod'
import { SCOPES, type Scope } from '../contract/scopes.js'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

/** Whose a token is: somebody who signs in through a provider, or the user of --basic-auth. */
export type TokenOwner = { kind: 'user'; id: number } | { kind: 'basic'; user: string }

/** What a program shows instead of a password. */
export interface Token {
  id: string
  /** `login`: of a command line that has signed in. */
  kind: 'api' | 'login'
  owner: TokenOwner
  name: string
  /** What it is good for; null: everything that its owner may do. */
  scopes: Scope[] | null
  createdAt: number
  expiresAt: number
  lastUsedAt: number | null
}

/** Of kind `api` it has the hash of its random text. */
export type NewToken = Omit<Token, 'lastUsedAt'> & { tokenHash: Uint8Array | null }

export type Tokens = ReturnType<typeof createTokens>

/** The SQL of table `tokens`. */
export function createTokens(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into tokens (id, kind, token_hash, user, basic_user, name, scopes, created_at, expires_at)
     values (@id, @kind, @tokenHash, @user, @basicUser, @name, @scopes, @createdAt, @expiresAt)`,
  )
  const byHash = db.prepare<[Buffer, number], Row>(
    `select ${COLUMNS} from tokens where token_hash = ? and expires_at > ?`,
  )
  const byId = db.prepare<[string, number], Row>(
    `select ${COLUMNS} from tokens where id = ? and expires_at > ?`,
  )
  const owned = 'user is @user and basic_user = @basicUser'
  const list = db.prepare<[Record<string, unknown>], Row>(
    `select ${COLUMNS} from tokens where ${owned} and expires_at > @now
     order by seq desc limit @limit offset @offset`,
  )
  const count = db
    .prepare<[Record<string, unknown>], number>(
      `select count(*) from tokens where ${owned} and expires_at > @now`,
    )
    .pluck()
  const remove = db.prepare<[Record<string, unknown>]>(
    `delete from tokens where id = @id and ${owned}`,
  )
  const removeLogins = db.prepare<[number]>("delete from tokens where user = ? and kind = 'login'")
  const removeExpired = db.prepare<[number]>('delete from tokens where expires_at <= ?')
  const touch = db.prepare<[number, string]>('update tokens set last_used_at = ? where id = ?')

  return {
    insert({ scopes, owner, ...token }: NewToken): void {
      insert.run({ ...token, ...toColumns(owner), scopes: scopes && JSON.stringify(scopes) })
    },

    /** Unless its time is over. */
    findByHash: (hash: Buffer, now: number): Token | undefined => fromRow(byHash.get(hash, now)),
    find: (id: string, now: number): Token | undefined => fromRow(byId.get(id, now)),

    /** Those of somebody that still work, newest first. */
    list: (owner: TokenOwner, { page, perPage }: Page, now: number): PageOf<Token> => ({
      items: list
        .all({ ...toColumns(owner), now, limit: perPage, offset: (page - 1) * perPage })
        .flatMap((row) => fromRow(row) ?? []),
      totalItems: count.get({ ...toColumns(owner), now }) ?? 0,
    }),

    count: (owner: TokenOwner, now: number): number => count.get({ ...toColumns(owner), now }) ?? 0,

    /** False when it is nobody's, or somebody else's. */
    remove: (owner: TokenOwner, id: string): boolean =>
      remove.run({ ...toColumns(owner), id }).changes === 1,

    removeLoginsOf: (user: number): void => void removeLogins.run(user),
    removeExpired: (now: number): void => void removeExpired.run(now),

    /** Notes when it was used. */
    touch: (id: string, now: number): void => void touch.run(now, id),
  }
}

const COLUMNS = `id, kind, user, basic_user as basicUser, name, scopes, created_at as createdAt,
  expires_at as expiresAt, last_used_at as lastUsedAt`

type Row = Omit<Token, 'owner' | 'scopes'> & {
  user: number | null
  basicUser: string
  scopes: string | null
}

const scopesSchema = z.array(z.enum(SCOPES))

function toColumns(owner: TokenOwner) {
  return owner.kind === 'user'
    ? { user: owner.id, basicUser: '' }
    : { user: null, basicUser: owner.user }
}

function fromRow(row: Row | undefined): Token | undefined {
  if (!row) return undefined
  const { user, basicUser, scopes, ...token } = row
  return {
    ...token,
    owner: user === null ? { kind: 'basic', user: basicUser } : { kind: 'user', id: user },
    scopes: scopes === null ? null : scopesSchema.parse(JSON.parse(scopes)),
  }
}
