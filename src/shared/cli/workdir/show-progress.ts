import type { Writable } from 'node:stream'

/** No more often than an eye can follow. */
const INTERVAL_MS = 100

/**
 * Passes data on and says on a terminal how much there was so far; the line is gone when the data
 * has ended, or when nobody reads on.
 */
export async function* showProgress(
  data: AsyncIterable<Uint8Array>,
  stderr: Writable & { isTTY?: boolean },
): AsyncGenerator<Uint8Array> {
  if (!stderr.isTTY) return yield* data
  let bytes = 0
  let shownAt = 0
  try {
    for await (const piece of data) {
      yield piece
      bytes += piece.length
      if (performance.now() - shownAt < INTERVAL_MS) continue
      shownAt = performance.now()
      stderr.write(`\r\u001b[Kuploading ${(bytes / 1_048_576).toFixed(1)} MB`)
    }
  } finally {
    stderr.write('\r\u001b[K')
  }
}
