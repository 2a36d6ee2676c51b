import { createHash, timingSafeEqual } from 'node:crypto'

/** Compares a secret with what somebody says it is; how long that takes tells nothing of either. */
export function isSameSecret(given: string, secret: string): boolean {
  const [a, b] = [given, secret].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
