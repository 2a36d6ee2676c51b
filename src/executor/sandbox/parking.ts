import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeSignal } from '../../shared/db/change-signal.js'
import type { Wait } from '../../shared/db/suspensions.js'
import { AppError } from '../../shared/errors.js'

/** Longest delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * The effects of a run that wait for what another process does. While something else of the run is
 * under way they look after each change in the database; when nothing is, the run leaves its thread
 * and all of them end.
 */
export interface Parking {
  /** How many wait just now. */
  readonly count: number
  /**
   * Resolves with what `look` finds; looks again after each change and at the due time. Rejects with
   * LEFT when the run leaves its thread, and with `aborted` when it ends.
   */
  wait<Value>(
    wait: Wait,
    look: () => Value | undefined | Promise<Value | undefined>,
  ): Promise<Value>
  /** Ends all waits; answers what for. */
  leave(): Wait[]
}

export interface ParkingOptions {
  /** Opened by the first wait. */
  changes: () => ChangeSignal
  /** Aborts when the run ends. */
  signal: AbortSignal
  now: () => number
  /** Called when one more waits. */
  onWait(): void
}

/** What waits end with when their run leaves its thread: no result of theirs. */
export const LEFT = new Error('the run waits without a thread')

export function createParking({ changes, signal, now, onWait }: ParkingOptions): Parking {
  const waiting = new Set<Wait>()
  const left = new AbortController()

  const pause = async (wait: Wait, seen: number): Promise<void> => {
    const over = new AbortController()
    const ending = AbortSignal.any([signal, left.signal])
    waiting.add(wait)
    onWait()
    try {
      if (wait.dueAt !== null) startTimer(wait.dueAt - now(), over)
      await changes().changed(seen, AbortSignal.any([ending, over.signal]))
    } finally {
      over.abort()
      waiting.delete(wait)
    }
  }

  return {
    get count() {
      return waiting.size
    },

    async wait(wait, look) {
      for (;;) {
        if (signal.aborted) throw new AppError('aborted', 'context canceled')
        if (left.signal.aborted) throw LEFT
        const seen = changes().version
        const found = await look()
        if (found !== undefined) return found
        await pause(wait, seen)
      }
    },

    leave() {
      const waits = [...waiting]
      left.abort()
      return waits
    },
  }
}

/** Aborts `over` when the time has come, or never when that was aborted before. */
function startTimer(delayMs: number, over: AbortController): void {
  const ms = Math.min(Math.max(0, delayMs), MAX_TIMER_MS)
  sleep(ms, undefined, { signal: over.signal }).then(
    () => over.abort(),
    () => undefined, // it was over before
  )
}
