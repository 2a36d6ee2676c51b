import { isIPv6 } from 'node:net'
import { AppError } from '../../shared/errors.js'

/** Counts what went wrong for each address, so that nobody guesses a secret by trying. */
export interface AttemptLimit {
  /** To be called before a secret is looked at. Throws `too_many_attempts`. */
  check(address: string): void
  /** The secret was wrong. */
  fail(address: string): void
}

export interface AttemptLimitOptions {
  now: () => number
  max?: number
  windowMs?: number
  /** Addresses that are remembered; the one that began first is forgotten for a new one. */
  maxAddresses?: number
}

interface Attempts {
  count: number
  until: number
}

export function createAttemptLimit({
  now,
  max = 10,
  windowMs = 60_000,
  maxAddresses = 10_000,
}: AttemptLimitOptions): AttemptLimit {
  const attempts = new Map<string, Attempts>()
  const find = (key: string): Attempts | undefined => {
    const found = attempts.get(key)
    if (!found || found.until > now()) return found
    attempts.delete(key)
    return undefined
  }

  return {
    check(address) {
      const found = find(keyOf(address))
      if (!found || found.count < max) return
      const seconds = Math.max(1, Math.ceil((found.until - now()) / 1_000))
      throw new AppError('too_many_attempts', 'too many failed attempts: try again later', {
        details: { retryAfter: seconds },
      })
    },
    fail(address) {
      const key = keyOf(address)
      const found = find(key)
      if (found) found.count++
      else {
        attempts.set(key, { count: 1, until: now() + windowMs })
        const [oldest] = attempts.keys()
        if (attempts.size > maxAddresses && oldest !== undefined) attempts.delete(oldest)
      }
    },
  }
}

/** Who has one address of IPv6 has the whole network around it. */
function keyOf(address: string): string {
  if (!isIPv6(address)) return address
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  return mapped ?? `${expand(address).slice(0, 4).join(':')}::/64`
}

function expand(address: string): string[] {
  const [head = '', tail] = address.split('%', 1).join('').split('::')
  const [before, after] = [head, tail ?? ''].map((part) => part.split(':').filter(Boolean))
  const missing = 8 - (before?.length ?? 0) - (after?.length ?? 0)
  const zeros = Array.from({ length: tail === undefined ? 0 : Math.max(0, missing) }, () => '0')
  return [...(before ?? []), ...zeros, ...(after ?? [])].map((part) =>
    part.toLowerCase().replace(/^0+(?=.)/, ''),
  )
}
