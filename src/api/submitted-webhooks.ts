import { z } from 'zod'
import type { Feature } from '../shared/config/config.js'
import type { EncryptedSecret, Secrets } from '../shared/db/secrets.js'
import { AppError, hasCode } from '../shared/errors.js'
import { encryptWebhookSecret, findWebhookSecret } from '../shared/secrets/webhook-secret.js'
import type { ApiContext } from './context.js'
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

/** As they are stored; a secret that another one replaces counts for a while. */
export function toWebhooks(
  { webhook_secret: value, webhook_provider: provider }: WebhookFields,
  { secrets, secretKey }: Pick<ApiContext, 'secrets' | 'secretKey'>,
  pipelineId: string,
): { secret: EncryptedSecret[] | null | undefined; provider: string | undefined } {
  const encrypt = (given: string): EncryptedSecret[] =>
    encryptWebhookSecret(secretKey, pipelineId, {
      value: given,
      replaced: findReplaced(secrets, secretKey, pipelineId),
    })
  const stays = value === undefined || value === null
  const secret = stays ? undefined : value === '' ? null : encrypt(value)
  return { secret, provider: provider ?? undefined }
}

/** One that cannot be read any more is what a new one is set for. */
function findReplaced(
  secrets: Pick<Secrets, 'find'>,
  secretKey: Buffer,
  pipelineId: string,
): string | undefined {
  try {
    return findWebhookSecret(secrets, secretKey, pipelineId)
  } catch (error) {
    if (hasCode(error, 'secret_undecryptable')) return undefined
    throw error
  }
}
