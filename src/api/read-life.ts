import { parseDuration } from '../shared/config/duration.js'
import { AppError } from '../shared/errors.js'

const DEFAULT_MS = 30 * 86_400_000
const MAX_MS = 365 * 86_400_000
const MIN_MS = 1_000

/** How long something that is handed out works, in milliseconds, from the field `expires_in`. */
export function readLife(text: string | null | undefined): number {
  if (text === null || text === undefined || text === '') return DEFAULT_MS
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= MIN_MS && ms <= MAX_MS) return Math.round(ms)
  throw new AppError('request_invalid', 'expires_in: expected a duration from 1s to 8760h')
}
