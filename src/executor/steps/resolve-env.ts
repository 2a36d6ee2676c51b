import type { Redactor } from '../../shared/redact/redactor.js'
import type { SecretReader } from '../../shared/secrets/secret-reader.js'

const PREFIX = 'secret:'

/**
 * An environment with its `secret:KEY` values replaced; a reference is a whole value. What it
 * resolves is masked from then on. Throws `secret_missing` or `secret_reserved`.
 */
export function resolveEnv(
  env: Readonly<Record<string, string>>,
  secrets: SecretReader,
  redactor: Redactor,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      if (!value.startsWith(PREFIX)) return [name, value]
      const secret = secrets.get(value.slice(PREFIX.length))
      redactor.add(secret)
      return [name, secret]
    }),
  )
}
