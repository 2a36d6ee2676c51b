import type { LogChunks } from '../shared/db/log-chunks.js'
import type { OutputHead } from './pages/run-page.js'

/** Reads at most `maxBytes` from the start of a step's output, or a chunk more. */
export function readOutputHead(
  logs: LogChunks,
  { runId, step, maxBytes }: { runId: string; step: number; maxBytes: number },
): OutputHead {
  const size = logs.sizeOfStep(runId, step)
  const parts: Buffer[] = []
  let left = Math.min(maxBytes, size)
  for (let after = 0; left > 0;) {
    const [chunk] = logs.listOfStep(runId, step, after, 1)
    if (!chunk) break
    parts.push(chunk.bytes.subarray(0, left))
    left -= chunk.bytes.length
    after = chunk.seq
  }
  const bytes = Buffer.concat(parts)
  return { text: bytes.toString('utf8'), size, isWhole: bytes.length >= size }
}
