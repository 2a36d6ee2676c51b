import { z } from 'zod'
import type { Feature } from '../shared/config/config.js'
import { AppError } from '../shared/errors.js'

/**
 * Fields of a pipeline that mean something only later. Clients send some of them always, empty;
 * asking for something with one is refused, not ignored.
 */
export const laterFields = {
  webhook_secret: z.string().nullish(),
} as const

type LaterFields = z.infer<z.ZodObject<typeof laterFields>>

/** Throws `request_invalid` for the first field that asks for something. */
export function checkLaterFields(body: LaterFields, features: readonly Feature[]): void {
  if (body.webhook_secret && !features.includes('webhooks'))
    throw new AppError('request_invalid', 'webhooks feature is not enabled')
  if (body.webhook_secret) throw later('webhook_secret', 'webhooks')
}

function later(field: string, what: string): AppError {
  return new AppError(
    'request_invalid',
    `${field}: ${what} are not available in this version yet; leave it out`,
  )
}
