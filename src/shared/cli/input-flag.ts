import type { FlagTable } from '../config/flag.js'
import { pairs, quote } from '../config/kinds.js'
import { usageError } from './report-error.js'

/** Of commands that start a run. */
export const INPUT_FLAG = {
  input: {
    kind: pairs,
    short: 'i',
    doc: 'an input that the pipeline declares; repeatable',
    group: 'Run',
  },
} as const satisfies FlagTable

/** The values by their names; what they have to be is for whoever knows the pipeline to say. */
export function parseInputs(given: readonly string[] = []): Record<string, string> {
  const inputs = new Map<string, string>()
  for (const pair of given) {
    const split = pair.indexOf('=')
    if (split < 1) throw usageError(`--input ${quote(pair)}: expected KEY=VALUE`)
    inputs.set(pair.slice(0, split), pair.slice(split + 1))
  }
  return Object.fromEntries(inputs)
}
