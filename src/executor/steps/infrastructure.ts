import { setTimeout as sleep } from 'node:timers/promises'
import { errorMessage, hasCode } from '../../shared/errors.js'
import type { TaskChange } from '../writes.js'
import { killSignal, type RunContext } from './run-context.js'

/** Pause before the first repetition and between later ones. */
const FIRST_MS = 500
const LONGEST_MS = 15_000

/** How long a step waits for a registry that does not answer. */
const REGISTRY_PATIENCE_MS = 600_000

/** Waits between repetitions of what infrastructure has failed, and says so in the step's row. */
export interface Patience {
  /**
   * Resolves when it is time to try again. Throws the error when that would not help, when the
   * registry has been away for too long, or when the signal aborts.
   */
  wait(failure: unknown): Promise<void>
  /** It worked: the changes that take the note out of the row. */
  over(): TaskChange[]
}

export interface PatienceOptions {
  /** Whose row says what is waited for. */
  step: number | undefined
  signal: AbortSignal
}

/** An engine that is away is waited for as long as the signal allows; a registry for ten minutes. */
export function openPatience(context: RunContext, { step, signal }: PatienceOptions): Patience {
  const waiting = AbortSignal.any([signal, context.signal])
  let delayMs = FIRST_MS
  let giveUpAt: number | undefined
  let isNoted = false
  return {
    async wait(failure) {
      if (!isInfrastructure(failure) || waiting.aborted) throw failure
      if (hasCode(failure, 'registry_unavailable')) {
        giveUpAt ??= context.now() + REGISTRY_PATIENCE_MS
        if (context.now() >= giveUpAt) throw failure
      }
      context.logger.warn({ err: failure, step, delayMs }, 'waiting for infrastructure')
      if (step !== undefined) {
        const text = `${context.redactor.redact(errorMessage(failure))}; trying again`
        await context.effects.record([{ type: 'note', step, text }])
        isNoted = true
      }
      // an abort ends the pause: what is tried next fails by it
      await sleep(delayMs, undefined, { signal: waiting }).catch(() => undefined)
      delayMs = Math.min(2 * delayMs, LONGEST_MS)
    },
    over() {
      if (!isNoted || step === undefined) return []
      isNoted = false
      delayMs = FIRST_MS
      giveUpAt = undefined
      return [{ type: 'note', step, text: '' }]
    },
  }
}

/** Repeats work that is safe to repeat for as long as its infrastructure is away. */
export async function patiently<Value>(
  context: RunContext,
  step: number | undefined,
  work: () => Promise<Value>,
): Promise<Value> {
  const patience = openPatience(context, { step, signal: killSignal(context.signal) })
  for (;;) {
    try {
      const value = await work()
      const changes = patience.over()
      if (changes.length > 0) context.effects.commit([], changes)
      return value
    } catch (error) {
      await patience.wait(error)
    }
  }
}

/** True for what passes without anybody changing the pipeline. */
function isInfrastructure(error: unknown): boolean {
  return hasCode(error, 'driver_unavailable') || hasCode(error, 'registry_unavailable')
}
