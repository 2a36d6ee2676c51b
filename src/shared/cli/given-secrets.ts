import { AppError } from '../errors.js'
import { quote } from '../config/kinds.js'
import { isReservedSecret } from '../secrets/reserved.js'

/** The secrets of a file: KEY=VALUE a line, blank lines and # comments apart. No error shows a line. */
export function parseSecretFile(file: string, text: string): Map<string, string> {
  const secrets = new Map<string, string>()
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '')
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue
    const split = line.indexOf('=')
    const key = line.slice(0, Math.max(split, 0)).trim()
    if (key === '')
      throw new AppError(
        'request_invalid',
        `invalid secret in file "${file}" line ${at + 1}: expected KEY=VALUE format`,
      )
    if (isReservedSecret(key))
      throw new AppError(
        'secret_reserved',
        `secret key ${quote(key)} in file "${file}" line ${at + 1} is reserved for system use`,
      )
    secrets.set(key, line.slice(split + 1))
  }
  return secrets
}
