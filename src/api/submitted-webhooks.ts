import { z } from 'zod'
import type { Feature } from '../shared/config/config.js'
import type { EncryptedSecret } from '../shared/db/secrets.js'
import { AppError } from '../shared/errors.js'
import { encryptWebhookSecret } from '../shared/secrets/webhook-secret.js'
import { PROVIDER_NAMES } from './webhooks/providers.js'

/** What a set of a pipeline says about its webhooks; what is left out stays as it is. */
export const webhookFields = {
  /** Empty: there is none any more. */
  webhook_secret: z.string().max(4_096).nullish(),
  /** Empty: those of any provider are taken. */
  webhook_provider: z.enum(['', ...PROVIDER_NAMES]).nullish(),
} as const

type WebhookFields = z.infer<z.ZodObject<typeof webhookFields>>

/** Throws `request_invalid`. */
export function checkWebhookFields(body: WebhookFields, features: readonly Feature[]): void {
  if (body.webhook_secret && !features.includes('webhooks'))
    throw new AppError('request_invalid', 'webhooks feature is not enabled')
}

export function toWebhooks(
  { webhook_secret: secret, webhook_provider: provider }: WebhookFields,
  masterKey: Buffer,
  pipelineId: string,
): { secret: EncryptedSecret | null | undefined; provider: string | undefined } {
  return { secret: toStored(secret, masterKey, pipelineId), provider: provider ?? undefined }
}

function toStored(
  secret: string | null | undefined,
  masterKey: Buffer,
  pipelineId: string,
): EncryptedSecret | null | undefined {
  if (secret === undefined || secret === null) return undefined
  return secret === '' ? null : encryptWebhookSecret(masterKey, pipelineId, secret)
}
