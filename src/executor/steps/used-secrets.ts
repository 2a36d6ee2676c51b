import type { Redactor } from '../../shared/redact/redactor.js'
import type { RunSecret } from '../../shared/db/run-secrets.js'
import { decryptSecret, encryptSecret } from '../../shared/secrets/cipher.js'
import type { SecretReader } from '../../shared/secrets/secret-reader.js'

/**
 * The secrets of one run. It keeps the value that a key had when the run first used it, whatever
 * becomes of the secret since: an executor that takes the run over has to mask that very value.
 */
export interface UsedSecrets extends SecretReader {
  /** Resolves when all that were read are on record: before that nothing may get to see them. */
  recorded(): Promise<void>
}

export interface UsedSecretsOptions {
  runId: string
  masterKey: Buffer
  reader: SecretReader
  redactor: Redactor
  /** Of earlier attempts. Throws `secret_undecryptable` when they were used under another key. */
  earlier: readonly RunSecret[]
  record(secrets: RunSecret[]): Promise<void>
}

export function createUsedSecrets(options: UsedSecretsOptions): UsedSecrets {
  const { runId, masterKey, reader, redactor, earlier, record } = options
  const scope = `run/${runId}`
  const values = new Map<string, string>()
  let fresh: RunSecret[] = []
  let recording: Promise<void> = Promise.resolve()

  for (const { key, encryptedValue } of earlier) {
    const value = decryptSecret(masterKey, scope, key, encryptedValue)
    values.set(key, value)
    redactor.add(value)
  }

  return {
    get(key) {
      const known = values.get(key)
      if (known !== undefined) return known
      const value = reader.get(key)
      values.set(key, value)
      redactor.add(value)
      fresh.push({ key, encryptedValue: encryptSecret(masterKey, scope, key, value) })
      return value
    },
    recorded() {
      if (fresh.length > 0) {
        const taken = fresh
        fresh = []
        recording = Promise.all([recording, record(taken)]).then(() => undefined)
        recording.catch(() => undefined) // whoever waits for it gets the error
      }
      return recording
    },
  }
}
