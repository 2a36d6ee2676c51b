import type { LogChunk, LogChunks } from '../shared/db/log-chunks.js'
import type { Task, Tasks } from '../shared/db/tasks.js'
import type { OutputHead } from './pages/run-page.js'

/** What a page has of a run; scripts and links get the rest. */
const MAX_STEPS = 200
const HEAD_BYTES = 16_384
const PAGE_OUTPUT_BYTES = 262_144

/** What stands between stored output and whoever reads it; it may hold an end back. */
export interface ChunkMask {
  push(chunk: Pick<LogChunk, 'stream' | 'bytes'>): Buffer
  /** What was held back, when no more comes. */
  end(): Buffer
}

export interface OutputHeads {
  console: OutputHead
  steps: { task: Task; head: OutputHead }[]
  /** How many steps more there are. */
  omitted: number
}

/** The first steps of a run and the beginning of their output, as a page shows them. */
export function readOutputHeads(
  { tasks, logs }: { tasks: Tasks; logs: LogChunks },
  runId: string,
  openMask: () => ChunkMask = openNoMask,
): OutputHeads {
  let left = PAGE_OUTPUT_BYTES
  const read = (step: number): OutputHead => {
    const maxBytes = Math.min(HEAD_BYTES, left)
    const head = readOutputHead(logs, { runId, step, maxBytes, mask: openMask() })
    left -= Math.min(head.size, maxBytes)
    return head
  }
  const { items, totalItems } = tasks.listPage(runId, { page: 1, perPage: MAX_STEPS })
  return {
    console: read(0),
    steps: items.map((task) => ({ task, head: read(task.step) })),
    omitted: totalItems - items.length,
  }
}

interface HeadOptions {
  runId: string
  step: number
  maxBytes: number
  mask: ChunkMask
}

/** Reads at most `maxBytes` from the start of a step's output. */
function readOutputHead(logs: LogChunks, { runId, step, maxBytes, mask }: HeadOptions): OutputHead {
  const size = logs.sizeOfStep(runId, step)
  const wanted = Math.min(maxBytes, size)
  const parts: Buffer[] = []
  let read = 0
  for (let after = 0; read < wanted;) {
    const [chunk] = logs.listOfStep(runId, step, after, 1)
    if (!chunk) break
    const bytes = chunk.bytes.subarray(0, wanted - read)
    parts.push(mask.push({ stream: chunk.stream, bytes }))
    read += bytes.length
    after = chunk.seq
  }
  const isWhole = read >= size
  // what a mask holds back at a cut may be the start of a secret
  if (isWhole) parts.push(mask.end())
  return { text: Buffer.concat(parts).toString('utf8'), size, isWhole }
}

function openNoMask(): ChunkMask {
  return { push: ({ bytes }) => bytes, end: () => Buffer.alloc(0) }
}
