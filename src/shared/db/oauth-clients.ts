import { z } from 'zod'
import { SCOPES, type Scope } from '../contract/scopes.js'
import type { Db } from './open.js'

/** A program that has registered to be let in by people. */
export interface OauthClient {
  id: string
  /** As it calls itself; anybody may call themselves anything. */
  name: string
  redirectUris: string[]
  expiresAt: number
}

/** What somebody has consented to, until the client fetches its tokens. */
export interface OauthCode {
  client: string
  user: number
  redirectUri: string
  challenge: string
  resource: string
  scopes: Scope[]
  expiresAt: number
}

/** The SQL of tables `oauth_clients` and `oauth_codes`. */
export function createOauthClients(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into oauth_clients (id, name, redirect_uris, expires_at)
     values (@id, @name, @redirectUris, @expiresAt)`,
  )
  const find = db.prepare<[string, number], ClientRow>(
    `select id, name, redirect_uris as redirectUris, expires_at as expiresAt
     from oauth_clients where id = ? and expires_at > ?`,
  )
  const extend = db.prepare<[number, string]>(
    'update oauth_clients set expires_at = max(expires_at, ?) where id = ?',
  )
  const removeExpired = db.prepare<[number]>('delete from oauth_clients where expires_at <= ?')
  const count = db.prepare<[], number>('select count(*) from oauth_clients').pluck()
  const insertCode = db.prepare<[Record<string, unknown>]>(
    `insert into oauth_codes (code_hash, client, user, redirect_uri, challenge, resource, scopes, expires_at)
     values (@codeHash, @client, @user, @redirectUri, @challenge, @resource, @scopes, @expiresAt)`,
  )
  const takeCode = db.prepare<[Uint8Array], CodeRow>(
    `delete from oauth_codes where code_hash = ?
     returning client, user, redirect_uri as redirectUri, challenge, resource, scopes,
       expires_at as expiresAt`,
  )
  const removeExpiredCodes = db.prepare<[number]>('delete from oauth_codes where expires_at <= ?')

  return {
    insert: ({ redirectUris, ...client }: OauthClient): void =>
      void insert.run({ ...client, redirectUris: JSON.stringify(redirectUris) }),

    /** Unless its time is over. */
    find(id: string, now: number): OauthClient | undefined {
      const row = find.get(id, now)
      return row && { ...row, redirectUris: texts.parse(JSON.parse(row.redirectUris)) }
    },

    /** Keeps it at least until then. */
    extend: (id: string, expiresAt: number): void => void extend.run(expiresAt, id),
    removeExpired: (now: number): void => void removeExpired.run(now),
    count: (): number => count.get() ?? 0,

    insertCode: ({ scopes, ...code }: OauthCode & { codeHash: Uint8Array }): void =>
      void insertCode.run({ ...code, scopes: JSON.stringify(scopes) }),

    /** Removes it too: a code works once, whatever comes of it. */
    takeCode(codeHash: Uint8Array): OauthCode | undefined {
      const row = takeCode.get(codeHash)
      return row && { ...row, scopes: scopesSchema.parse(JSON.parse(row.scopes)) }
    },

    removeExpiredCodes: (now: number): void => void removeExpiredCodes.run(now),
  }
}

type ClientRow = Omit<OauthClient, 'redirectUris'> & { redirectUris: string }
type CodeRow = Omit<OauthCode, 'scopes'> & { scopes: string }

const texts = z.array(z.string())
const scopesSchema = z.array(z.enum(SCOPES))
