import type { Db } from './open.js'

/** A command line that waits for somebody to let it in. */
export interface DeviceLogin {
  /** Of a second secret that the command line alone knows; null: it offers none. */
  secretHash: Buffer | null
  /** Who has let it in. */
  user: number | null
  /** What asked. */
  address: string
  userAgent: string
  expiresAt: number
}

export type DeviceLogins = ReturnType<typeof createDeviceLogins>

/** The SQL of table `device_logins`. */
export function createDeviceLogins(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into device_logins (code_hash, secret_hash, address, user_agent, expires_at)
     values (@codeHash, @secretHash, @address, @userAgent, @expiresAt)`,
  )
  const find = db.prepare<[Uint8Array], DeviceLogin>(
    `select secret_hash as secretHash, user, address, user_agent as userAgent,
       expires_at as expiresAt
     from device_logins where code_hash = ?`,
  )
  const approve = db.prepare<[Record<string, unknown>]>(
    `update device_logins set user = @user
     where code_hash = @codeHash and user is null and expires_at > @now`,
  )
  const remove = db.prepare<[Uint8Array]>('delete from device_logins where code_hash = ?')
  const removeExpired = db.prepare<[number]>('delete from device_logins where expires_at <= ?')
  const count = db.prepare<[], number>('select count(*) from device_logins').pluck()

  return {
    insert: (
      login: Omit<DeviceLogin, 'user' | 'secretHash'> & {
        codeHash: Uint8Array
        secretHash: Uint8Array | null
      },
    ): void => void insert.run({ ...login }),

    /** Also one whose time is over: whoever asks for it is told so. */
    find: (codeHash: Uint8Array): DeviceLogin | undefined => find.get(codeHash),

    /** Lets it in as a user. False when it is not there, over, or let in already. */
    approve: (codeHash: Uint8Array, user: number, now: number): boolean =>
      approve.run({ codeHash, user, now }).changes === 1,

    remove: (codeHash: Uint8Array): boolean => remove.run(codeHash).changes === 1,
    removeExpired: (before: number): void => void removeExpired.run(before),
    count: (): number => count.get() ?? 0,
  }
}
