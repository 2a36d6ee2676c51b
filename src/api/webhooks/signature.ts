import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

const HEX_SHA256 = /^[0-9a-f]{64}$/i

/** Whether a text is the hex HMAC-SHA256 of some parts of a message, in either case. */
export function isSignedWith(
  secret: string,
  signature: string,
  ...message: readonly (string | Uint8Array)[]
): boolean {
  const hmac = createHmac('sha256', secret)
  for (const part of message) hmac.update(part)
  const expected = hmac.digest()
  return HEX_SHA256.test(signature) && timingSafeEqual(Buffer.from(signature, 'hex'), expected)
}

/** Whether a text is the secret itself; how long either is does not show in the time that it takes. */
export function isSecret(secret: string, given: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret))
}

/** The rest of a text behind a prefix; empty: it has none. */
export function behind(prefix: string, text: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : ''
}
