import type { EncryptedSecret, Secrets } from '../db/secrets.js'
import { decryptSecret, encryptSecret } from './cipher.js'

/** Reserved: see reserved.ts. */
const KEY = 'webhook_secret'
const PREVIOUS = 'webhook_secret_previous'

/** How long the secret of before a change still counts: the provider is told the new one by hand. */
const GRACE_MS = 24 * 3_600_000

const scopeOf = (pipelineId: string): string => `pipeline/${pipelineId}`

/** A new secret for webhooks of a pipeline, as it is stored, and the one that it replaces, if that is another. */
export function encryptWebhookSecret(
  masterKey: Buffer,
  pipelineId: string,
  { value, replaced }: { value: string; replaced: string | undefined },
): EncryptedSecret[] {
  const scope = scopeOf(pipelineId)
  const encrypt = (key: string, text: string): EncryptedSecret => ({
    ...{ scope, key },
    encryptedValue: encryptSecret(masterKey, scope, key, text),
  })
  const isChange = replaced !== undefined && replaced !== value
  return [encrypt(KEY, value), ...(isChange ? [encrypt(PREVIOUS, replaced)] : [])]
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

/** All that webhooks may be signed with at a time: for a while after a change there are two. */
export function listWebhookSecrets(
  secrets: Pick<Secrets, 'find' | 'findSince'>,
  masterKey: Buffer,
  { pipelineId, now }: { pipelineId: string; now: number },
): string[] {
  const current = findWebhookSecret(secrets, masterKey, pipelineId)
  if (current === undefined) return []
  const scope = scopeOf(pipelineId)
  const stored = secrets.findSince(scope, PREVIOUS, now - GRACE_MS)
  return stored ? [current, decryptSecret(masterKey, scope, PREVIOUS, stored)] : [current]
}

export function removeWebhookSecret(secrets: Pick<Secrets, 'remove'>, pipelineId: string): void {
  for (const key of [KEY, PREVIOUS]) secrets.remove(scopeOf(pipelineId), key)
}
