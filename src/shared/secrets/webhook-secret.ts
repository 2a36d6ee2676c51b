import type { EncryptedSecret, Secrets } from '../db/secrets.js'
import { decryptSecret, encryptSecret } from './cipher.js'

/** Reserved: see reserved.ts. */
const KEY = 'webhook_secret'

const scopeOf = (pipelineId: string): string => `pipeline/${pipelineId}`

/** The secret that webhooks of a pipeline are signed with, as it is stored. */
export function encryptWebhookSecret(
  masterKey: Buffer,
  pipelineId: string,
  value: string,
): EncryptedSecret {
  const scope = scopeOf(pipelineId)
  return { scope, key: KEY, encryptedValue: encryptSecret(masterKey, scope, KEY, value) }
}

/** Undefined: it has none. Throws `secret_undecryptable`. */
export function findWebhookSecret(
  secrets: Pick<Secrets, 'find'>,
  masterKey: Buffer,
  pipelineId: string,
): string | undefined {
  const scope = scopeOf(pipelineId)
  const stored = secrets.find(scope, KEY)
  return stored && decryptSecret(masterKey, scope, KEY, stored)
}

export function removeWebhookSecret(secrets: Pick<Secrets, 'remove'>, pipelineId: string): void {
  secrets.remove(scopeOf(pipelineId), KEY)
}
