import type { Db } from './open.js'

/** A secret that a run has used, encrypted under the scope `run/<id>`. */
export interface RunSecret {
  key: string
  encryptedValue: Buffer
}

/** The SQL of table `run_secrets`; its rows go when the run ends. */
export function createRunSecrets(db: Db) {
  const insert = db.prepare<[string, string, Uint8Array]>(
    'insert or ignore into run_secrets (run_id, key, encrypted_value) values (?, ?, ?)',
  )
  const list = db.prepare<[string], RunSecret>(
    'select key, encrypted_value as encryptedValue from run_secrets where run_id = ? order by key',
  )
  return {
    insert: (runId: string, key: string, encryptedValue: Uint8Array): void =>
      void insert.run(runId, key, encryptedValue),
    list: (runId: string): RunSecret[] => list.all(runId),
  }
}
