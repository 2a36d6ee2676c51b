/** After so many bytes the young generation is collected. */
const GIVE_BACK_BYTES = 16 * 1_048_576

/**
 * For whatever makes many buffers that nobody keeps: told of their bytes, it collects them from time
 * to time. The engine counts a buffer as a small object, not by the memory behind it, and would
 * let tens of megabytes pile up. Does nothing in a process that was started without --expose-gc.
 */
export function createGiveBack(): (bytes: number) => void {
  let uncollected = 0
  return (bytes) => {
    uncollected += bytes
    if (uncollected <= GIVE_BACK_BYTES) return
    uncollected = 0
    globalThis.gc?.({ type: 'minor', execution: 'sync' })
  }
}
