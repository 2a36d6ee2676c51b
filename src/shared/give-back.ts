import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** After so many bytes the young generation is collected. */
const GIVE_BACK_BYTES = 16 * 1_048_576

/**
 * For whatever makes many buffers that nobody keeps: told of their bytes, it collects them from time
 * to time. The engine counts a buffer as a small object, not by the memory behind it, and would
 * let hundreds of megabytes pile up.
 */
export function createGiveBack(): (bytes: number) => void {
  let collect: CollectMinor | undefined
  let uncollected = 0
  return (bytes) => {
    uncollected += bytes
    if (uncollected < GIVE_BACK_BYTES) return
    uncollected = 0
    collect ??= findCollector()
    collect({ type: 'minor', execution: 'sync' })
  }
}

type CollectMinor = (options: { type: 'minor'; execution: 'sync' }) => unknown

/** The tiers are started with it; the command is not, as whoever starts it gives no flags to Node. */
function findCollector(): CollectMinor {
  if (globalThis.gc) return globalThis.gc
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as CollectMinor
}
