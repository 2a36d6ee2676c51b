import type { Db } from './open.js'

/** A secret as it is stored. `scope` is `global` or `pipeline/<id>`. */
export interface EncryptedSecret {
  scope: string
  key: string
  /** Nonce, ciphertext, tag. */
  encryptedValue: Uint8Array
}

export interface KdfParams {
  algorithm: string
  salt: Buffer
  time: number
  memory: number
  threads: number
  checkValue: Buffer
}

export type Secrets = ReturnType<typeof createSecrets>

/** The SQL of tables `secrets` and `kdf_params`; values are ciphertext here. */
export function createSecrets(db: Db) {
  const find = db
    .prepare<[string, string], Buffer>(
      'select encrypted_value from secrets where scope = ? and key = ?',
    )
    .pluck()
  const findSince = db
    .prepare<[string, string, number], Buffer>(
      'select encrypted_value from secrets where scope = ? and key = ? and updated_at > ?',
    )
    .pluck()
  const upsert = db.prepare<[Record<string, unknown>]>(
    `insert into secrets (scope, key, encrypted_value, updated_at)
     values (@scope, @key, @encryptedValue, @now)
     on conflict (scope, key) do update set encrypted_value = excluded.encrypted_value,
       version = version + 1, updated_at = excluded.updated_at`,
  )
  const keys = db
    .prepare<[string], string>('select key from secrets where scope = ? order by key')
    .pluck()
  const scopes = db
    .prepare<[string], string>('select scope from secrets where key = ? order by scope')
    .pluck()
  const remove = db.prepare<[string, string]>('delete from secrets where scope = ? and key = ?')
  const removeScope = db.prepare<[string]>('delete from secrets where scope = ?')
  const findKdf = db.prepare<[], KdfParams>(
    'select algorithm, salt, time, memory, threads, check_value as checkValue from kdf_params where id = 1',
  )
  const insertKdf = db.prepare<[Record<string, unknown>]>(
    `insert into kdf_params (id, algorithm, salt, time, memory, threads, check_value)
     values (1, @algorithm, @salt, @time, @memory, @threads, @checkValue)`,
  )

  return {
    find: (scope: string, key: string): Buffer | undefined => find.get(scope, key),
    /** Undefined also when it was written at that time or before. */
    findSince: (scope: string, key: string, time: number): Buffer | undefined =>
      findSince.get(scope, key, time),
    upsert: (secret: EncryptedSecret, now: number): void => void upsert.run({ ...secret, now }),
    listKeys: (scope: string): string[] => keys.all(scope),
    /** Those that have a secret of this key. */
    listScopes: (key: string): string[] => scopes.all(key),
    remove: (scope: string, key: string): void => void remove.run(scope, key),
    removeScope: (scope: string): void => void removeScope.run(scope),
    findKdfParams: (): KdfParams | undefined => findKdf.get(),
    insertKdfParams: (params: KdfParams): void => void insertKdf.run({ ...params }),
  }
}
