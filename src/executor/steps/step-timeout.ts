import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../shared/errors.js'

/**
 * A step whose time ran out while no executor watched it gets so long to show that it had ended
 * before.
 */
const LATE_MS = 1_000

export interface TimeoutOptions {
  /** When an earlier executor has started it, unix milliseconds. */
  startedAt: number | null | undefined
  now: () => number
}

/** A signal that aborts some time after the start; disposing it clears the timer. */
export function startTimeout(
  timeoutMs: number | undefined,
  { startedAt, now }: TimeoutOptions,
): Disposable & { signal: AbortSignal | undefined } {
  const cleared = new AbortController()
  const dispose = (): void => cleared.abort()
  if (timeoutMs === undefined) return { signal: undefined, [Symbol.dispose]: dispose }
  const leftMs =
    typeof startedAt === 'number' ? Math.max(LATE_MS, startedAt + timeoutMs - now()) : timeoutMs
  const expired = new AbortController()
  sleep(leftMs, undefined, { signal: cleared.signal }).then(
    () => expired.abort(new AppError('aborted', 'time-out')),
    () => undefined, // disposed
  )
  return { signal: expired.signal, [Symbol.dispose]: dispose }
}
