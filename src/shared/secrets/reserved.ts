/** Keys that the system itself keeps in a pipeline's scope: nobody sets or reads them by name. */
const RESERVED = new Set([
  'driver',
  'driver_config',
  'webhook_secret',
  'webhook_secret_previous',
  'share_link_signing_key',
])

/** True for a key that `secrets`, `--secret` and `secret:` references may not name. */
export function isReservedSecret(key: string): boolean {
  return RESERVED.has(key)
}
