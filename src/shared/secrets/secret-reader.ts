import { AppError } from '../errors.js'
import type { Secrets } from '../db/secrets.js'
import { decryptSecret } from './cipher.js'
import { isReservedSecret } from './reserved.js'

/** What turns a `secret:KEY` reference of one pipeline into its value. */
export interface SecretReader {
  /** The pipeline's own value, else the global one. Throws `secret_missing` or `secret_reserved`. */
  get(key: string): string
}

export interface SecretReaderOptions {
  /** Called when a secret is first read. */
  secrets: () => Secrets
  masterKey: Buffer
  pipelineId: string
}

export function createSecretReader(options: SecretReaderOptions): SecretReader {
  const { secrets, masterKey, pipelineId } = options
  const scopes = [`pipeline/${pipelineId}`, 'global']
  return {
    get(key) {
      if (isReservedSecret(key))
        throw new AppError('secret_reserved', `secret key "${key}" is reserved for system use`)
      for (const scope of scopes) {
        const stored = secrets().find(scope, key)
        if (stored) return decryptSecret(masterKey, scope, key, stored)
      }
      throw new AppError(
        'secret_missing',
        `secret "${key}" not found in scopes "pipeline/${pipelineId}" or "global": secret not found`,
      )
    },
  }
}
