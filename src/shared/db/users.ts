import { z } from 'zod'
import type { Db } from './open.js'

/** What a provider says about somebody. */
export interface Profile {
  /** Which one says it. */
  provider: string
  /** Names somebody there, for ever. */
  userId: string
  /** Empty unless the provider has verified it. */
  email: string
  name: string
  nickName: string
  avatarUrl: string
  organizations: string[]
  groups: string[]
  /** All that it said; a map. */
  rawData: Record<string, unknown>
}

/** Somebody who has signed in. */
export interface User extends Profile {
  id: number
}

export type Users = ReturnType<typeof createUsers>

/** The SQL of tables `users` and `sessions`. */
export function createUsers(db: Db) {
  const upsert = db
    .prepare<[Record<string, unknown>], number>(
      `insert into users (provider, user_id, email, name, nick_name, avatar_url, organizations, groups,
         raw_data, created_at, updated_at)
       values (@provider, @userId, @email, @name, @nickName, @avatarUrl, @organizations, @groups,
         @rawData, @now, @now)
       on conflict (provider, user_id) do update set email = excluded.email, name = excluded.name,
         nick_name = excluded.nick_name, avatar_url = excluded.avatar_url,
         organizations = excluded.organizations, groups = excluded.groups,
         raw_data = excluded.raw_data, updated_at = excluded.updated_at
       returning id`,
    )
    .pluck()
  const byId = db.prepare<[number], Row>(`select ${COLUMNS} from users where id = ?`)
  const insertSession = db.prepare<[Record<string, unknown>]>(
    `insert into sessions (token_hash, user, created_at, expires_at)
     values (@tokenHash, @user, @now, @expiresAt)`,
  )
  const userOfSession = db
    .prepare<[Buffer, number], number>(
      'select user from sessions where token_hash = ? and expires_at > ?',
    )
    .pluck()
  const removeSession = db.prepare<[Uint8Array]>('delete from sessions where token_hash = ?')
  const removeSessions = db.prepare<[number]>('delete from sessions where user = ?')
  const removeExpired = db.prepare<[number]>('delete from sessions where expires_at <= ?')
  const removeOldest = db.prepare<[{ user: number; keep: number }]>(
    `delete from sessions where token_hash in (
       select token_hash from sessions where user = @user
       order by created_at desc limit -1 offset @keep)`,
  )

  return {
    /** Keeps what a provider says now. Answers the user's id. */
    upsert(profile: Profile, now: number): number {
      const id = upsert.get({ ...toColumns(profile), now })
      if (id === undefined) throw new Error('a user is not there after its upsert')
      return id
    },

    find: (id: number): User | undefined => fromRow(byId.get(id)),

    /** Adds a session and clears away what is over, of this user also all but the newest. */
    addSession(session: NewSession, now: number, keep: number): void {
      removeExpired.run(now)
      insertSession.run({ ...session, now })
      removeOldest.run({ user: session.user, keep })
    },

    /** Whose session it is, unless its time is over. */
    findBySession(tokenHash: Buffer, now: number): User | undefined {
      const id = userOfSession.get(tokenHash, now)
      return id === undefined ? undefined : fromRow(byId.get(id))
    },

    removeSession: (tokenHash: Uint8Array): void => void removeSession.run(tokenHash),
    removeSessions: (user: number): void => void removeSessions.run(user),
  }
}

export interface NewSession {
  tokenHash: Uint8Array
  user: number
  expiresAt: number
}

const COLUMNS = `id, provider, user_id as userId, email, name, nick_name as nickName,
  avatar_url as avatarUrl, organizations, groups, raw_data as rawData`

type Row = Omit<User, 'organizations' | 'groups' | 'rawData'> & {
  organizations: string
  groups: string
  rawData: string
}

const names = z.array(z.string())
const map = z.record(z.string(), z.unknown())

function toColumns({ organizations, groups, rawData, ...profile }: Profile) {
  return {
    ...profile,
    organizations: JSON.stringify(organizations),
    groups: JSON.stringify(groups),
    rawData: JSON.stringify(rawData),
  }
}

function fromRow(row: Row | undefined): User | undefined {
  return (
    row && {
      ...row,
      organizations: names.parse(JSON.parse(row.organizations)),
      groups: names.parse(JSON.parse(row.groups)),
      rawData: map.parse(JSON.parse(row.rawData)),
    }
  )
}
