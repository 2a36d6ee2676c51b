import { z } from 'zod'
import type { Feature } from '../shared/config/config.js'
import { AppError } from '../shared/errors.js'
import { isReservedSecret } from '../shared/secrets/reserved.js'

const MAX_KEYS = 1_000
const MAX_KEY_CHARS = 255
/** The redactor looks for every value in all output. */
const MAX_VALUE_CHARS = 65_536

/** The secrets of a pipeline as they are sent; no error shows a value. */
export const secretsSchema = z
  .unknown()
  // a record leaves this key out without a word
  .refine((given) => !Object.hasOwn(Object(given), '__proto__'), '"__proto__" is not a key')
  .pipe(z.record(z.string(), z.string('every value must be a string')))

/** Throws `request_invalid` or `secret_reserved`; having none is always fine. */
export function checkSecrets(
  secrets: Readonly<Record<string, string>>,
  features: readonly Feature[],
): void {
  const entries = Object.entries(secrets)
  if (entries.length === 0) return
  if (!features.includes('secrets'))
    throw new AppError('request_invalid', 'secrets feature is not enabled')
  if (entries.length > MAX_KEYS)
    throw new AppError('request_invalid', `secrets: at most ${MAX_KEYS} keys`)
  for (const [key, value] of entries) checkSecret(key, value)
}

function checkSecret(key: string, value: string): void {
  if (isReservedSecret(key))
    throw new AppError('secret_reserved', `secret key "${key}" is reserved for system use`)
  if (key === '' || key.length > MAX_KEY_CHARS || /[\p{Cc}=]/u.test(key))
    throw new AppError(
      'request_invalid',
      `secrets: a key has 1 to ${MAX_KEY_CHARS} characters, none of them a control character or "="`,
    )
  if (value.length > MAX_VALUE_CHARS)
    throw new AppError(
      'request_invalid',
      `secrets: the value of "${key}" is longer than ${MAX_VALUE_CHARS} characters`,
    )
}
