import { openDatabase } from '../db/open.js'
import { createSecrets } from '../db/secrets.js'
import { encryptSecret } from './cipher.js'

/** Writes the `--secret` values of a start into the `global` scope, all or none. */
export function storeGlobalSecrets(
  path: string,
  masterKey: Buffer,
  values: readonly { key: string; value: string }[],
  now: number,
): void {
  if (values.length === 0) return
  const db = openDatabase(path, { mode: 'write' })
  try {
    const secrets = createSecrets(db)
    db.transaction(() => {
      for (const { key, value } of values) {
        const encryptedValue = encryptSecret(masterKey, 'global', key, value)
        secrets.upsert({ scope: 'global', key, encryptedValue }, now)
      }
    }).immediate()
  } finally {
    db.close()
  }
}
