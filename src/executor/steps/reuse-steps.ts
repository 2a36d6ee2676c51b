import { hashArgs } from '../sandbox/effects.js'
import type { Done, Effect } from '../sandbox/effect.js'
import type { ReusableResult } from '../../shared/db/reusable-results.js'
import type { RunContext } from './run-context.js'
import { handStored } from './run-tries.js'

/** Which steps of a resumed run stand as they ended before. */
export interface ReusedSteps {
  /** To be asked for each call of `runtime.run`, in their order: the n-th call with the same arguments. */
  take(args: readonly unknown[], volumes: readonly string[]): ReusableResult | undefined
  /**
   * Something has changed these volumes in this generation, as the guest knows by now: whatever it asks
   * for from here on with one of them is done again.
   */
  changed(volumes: readonly string[]): void
}

/**
 * The answer depends on nothing but the calls and what was written when the run was resumed, so it is
 * the same for every executor of the generation.
 */
export function createReusedSteps({ findReusable }: RunContext): ReusedSteps {
  const occurrences = new Map<string, number>()
  const changedVolumes = new Set<string>()
  return {
    take(args, volumes) {
      const argsHash = hashArgs(args)
      const key = argsHash.toString('hex')
      const occurrence = occurrences.get(key) ?? 0
      occurrences.set(key, occurrence + 1)
      if (volumes.some((volume) => changedVolumes.has(volume))) return undefined
      return findReusable(argsHash, occurrence)
    },
    changed(volumes) {
      for (const volume of volumes) changedVolumes.add(volume)
    },
  }
}

/** Answers for a step what it came to before; the pipeline hears its output as well. */
export async function reuseStep(
  context: RunContext,
  { step, value }: ReusableResult,
  effect: Effect,
  hasOnOutput: boolean,
): Promise<Done<unknown>> {
  if (hasOnOutput) await handStored(context, step, effect)
  return { value: JSON.parse(value) as unknown }
}
