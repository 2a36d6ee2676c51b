import type { SecretReader } from '../../shared/secrets/secret-reader.js'

const PREFIX = 'secret:'

/**
 * An environment with its `secret:KEY` values replaced; a reference is a whole value. Throws
 * `secret_missing` or `secret_reserved`.
 */
export function resolveEnv(
  env: Readonly<Record<string, string>>,
  secrets: SecretReader,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      if (!value.startsWith(PREFIX)) return [name, value]
      return [name, secrets.get(value.slice(PREFIX.length))]
    }),
  )
}
