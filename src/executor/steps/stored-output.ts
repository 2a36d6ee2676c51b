import { AppError } from '../../shared/errors.js'
import type { OutputStream } from '../../shared/contract/statuses.js'
import { createLogChunks, type LogChunk } from '../../shared/db/log-chunks.js'
import { createLogPositions, type LogPosition } from '../../shared/db/log-positions.js'
import type { Db } from '../../shared/db/open.js'
import type { RecordedOutput } from '../sandbox/replay.js'

/** Chunks that are read at once: at most 64 KiB each. */
const PAGE = 16

/** What earlier attempts have stored of one step's output. */
export interface StoredOutput {
  /** Of its last chunk; 0 when there is none. */
  lastSeq: number
  bytes: number
  position: LogPosition | undefined
  /** The chunks up to this one are notes about its start, which are no output; 0: there are none. */
  noteSeq: number
  /** The chunks behind one, in order. */
  chunks(afterSeq: number): Iterable<LogChunk>
}

export function findStoredOutput(logs: Db, runId: string, step: number): StoredOutput {
  const chunks = createLogChunks(logs)
  const position = createLogPositions(logs).find(runId, step)
  return {
    lastSeq: chunks.lastSeqOf(runId, step),
    bytes: chunks.sizeOfStep(runId, step),
    position,
    // of a later try it may be the note that the step was lost, which the guest hears
    noteSeq: position?.try === 1 ? position.firstSeq : 0,
    *chunks(afterSeq) {
      let after = afterSeq
      for (;;) {
        const page = chunks.listOfStep(runId, step, after, PAGE)
        yield* page
        if (page.length < PAGE) return
        after = page.at(-1)?.seq ?? after
      }
    },
  }
}

/** Output as text for the guest: of each step and stream, what ends inside a character waits for its rest. */
export interface OutputDecoders {
  decode(step: number, stream: OutputStream, bytes: Uint8Array): string
}

export function createOutputDecoders(): OutputDecoders {
  const decoders = new Map<string, TextDecoder>()
  return {
    decode(step, stream, bytes) {
      const key = `${step} ${stream}`
      const decoder = decoders.get(key) ?? new TextDecoder()
      decoders.set(key, decoder)
      return decoder.decode(bytes, { stream: true })
    },
  }
}

/** Reads from the log what a guest was handed: the journal names the chunk that it ended with. */
export function createRecordedOutput(
  logs: () => Db,
  runId: string,
  decoders: OutputDecoders,
): RecordedOutput {
  return (step, { after, upTo }) => {
    const texts = { stdout: '', stderr: '' }
    const stored = findStoredOutput(logs(), runId, step)
    for (const { seq, stream, bytes } of stored.chunks(Math.max(after, stored.noteSeq))) {
      texts[stream] += decoders.decode(step, stream, bytes)
      if (seq === upTo) return { stream, data: texts[stream] }
      if (seq > upTo) break
    }
    throw new AppError(
      'journal_damaged',
      `the journal of run ${runId} is damaged: the pipeline was handed output up to chunk ${upTo} of step ${step}, which is not in the log`,
    )
  }
}
