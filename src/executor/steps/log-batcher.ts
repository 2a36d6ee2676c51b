import type { OutputStream } from '../../shared/contract/statuses.js'
import type { NewLogChunk } from '../../shared/db/log-chunks.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { LogWrites } from '../log-writes.js'

/** Output waits this long for more of it, so that a chatty step writes 20 times a second, not 1,000. */
const BATCH_MS = 50
/** Largest chunk of the log. */
const CHUNK_BYTES = 65_536
/** Bytes on their way to the database before the writer of output has to wait. */
const MAX_IN_FLIGHT_BYTES = 1_048_576

/** Appends one step's output to the log database: the first bytes at once, then in batches. */
export interface LogBatcher {
  /** Takes over the bytes (they must not be changed afterwards). Waits while too much is under way. */
  write(stream: OutputStream, bytes: Buffer): Promise<void>
  /** Number of the last chunk that was given a place in the log. */
  readonly lastSeq: number
  /** Commits all that was written; true when there was any output at all. */
  flush(): Promise<void>
  /** Flushes, and makes it survive a power cut. */
  end(): Promise<void>
}

export interface LogBatcherOptions {
  writer: WriterClient<LogWrites>
  runId: string
  step: number
  now: () => number
}

export function openLogBatcher(options: LogBatcherOptions): LogBatcher {
  const { writer, runId, step, now } = options
  let waiting: { stream: OutputStream; parts: Buffer[]; size: number } | undefined
  let timer: NodeJS.Timeout | undefined
  let lastSentAt = -Infinity
  let inFlight = 0
  let seq = 0
  let last: Promise<void> = Promise.resolve()
  let failure: unknown

  const send = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (!waiting) return
    const { stream, parts, size } = waiting
    waiting = undefined
    const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, size)
    const batch: NewLogChunk[] = []
    for (let at = 0; at < size; at += CHUNK_BYTES)
      batch.push({
        runId,
        step,
        seq: ++seq,
        stream,
        at: now(),
        bytes: bytes.subarray(at, at + CHUNK_BYTES),
      })
    lastSentAt = performance.now()
    inFlight += size
    last = writer
      .write('append', batch, { isDurable: false })
      .catch((error: unknown) => void (failure ??= error))
      .finally(() => (inFlight -= size))
  }

  const flush = async (): Promise<void> => {
    send()
    await last
    if (failure !== undefined) throw failure
  }

  return {
    async write(stream, bytes) {
      if (bytes.length === 0) return
      if (waiting && waiting.stream !== stream) send()
      waiting ??= { stream, parts: [], size: 0 }
      waiting.parts.push(bytes)
      waiting.size += bytes.length
      const quietMs = performance.now() - lastSentAt
      if (waiting.size >= CHUNK_BYTES || quietMs >= BATCH_MS) send()
      else timer ??= setTimeout(send, BATCH_MS - quietMs)
      if (inFlight > MAX_IN_FLIGHT_BYTES) await flush()
    },
    get lastSeq() {
      return seq
    },
    flush,
    async end() {
      await flush()
      if (seq > 0) await writer.write('sync', {})
    },
  }
}
