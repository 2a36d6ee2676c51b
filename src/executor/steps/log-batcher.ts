import { AppError } from '../../shared/errors.js'
import type { OutputStream } from '../../shared/contract/statuses.js'
import type { LogPosition } from '../../shared/db/log-positions.js'
import type { Claim } from '../../shared/db/runs.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { AppendLog, LogWrites } from '../log-writes.js'

/** Output waits this long for more of it, so that a chatty step writes 20 times a second, not 1,000. */
const BATCH_MS = 50
/** Largest chunk of the log. */
const CHUNK_BYTES = 65_536
/** Bytes on their way to the database before the writer of output has to wait. */
const MAX_IN_FLIGHT_BYTES = 1_048_576

/** Appends one step's output to the log database: the first bytes at once, then in batches. */
export interface LogBatcher {
  /**
   * Takes over the bytes (they must not be changed afterwards) and what the log stands for with
   * them. Waits while too much is under way. Rejects with `lease_lost` when the run is another's.
   */
  write(stream: OutputStream, bytes: Buffer, position: LogPosition): Promise<void>
  /** Number of the last chunk that was given a place in the log. */
  readonly lastSeq: number
  /** Commits all that was written. */
  flush(): Promise<void>
  /** Flushes, and makes it survive a power cut. */
  end(): Promise<void>
}

export interface LogBatcherOptions {
  writer: WriterClient<LogWrites>
  claim: Claim
  step: number
  now: () => number
  /** Of what an earlier attempt has stored. */
  lastSeq?: number
  /** Each commit survives a power cut: for output that the journal refers to. */
  isDurable?: boolean
}

interface Waiting {
  stream: OutputStream
  parts: Buffer[]
  size: number
  position: LogPosition
}

export function openLogBatcher(options: LogBatcherOptions): LogBatcher {
  const { writer, claim, step, now, isDurable = false } = options
  let waiting: Waiting | undefined
  let timer: NodeJS.Timeout | undefined
  let lastSentAt = -Infinity
  let inFlight = 0
  let seq = options.lastSeq ?? 0
  let last: Promise<void> = Promise.resolve()
  let failure: unknown

  const append = async (input: AppendLog, size: number): Promise<void> => {
    inFlight += size
    try {
      const isOurs = await writer.write('append', input, { isDurable })
      if (!isOurs) throw new AppError('lease_lost', 'the run is no longer this executor’s')
    } catch (error) {
      failure ??= error
    } finally {
      inFlight -= size
    }
  }

  const send = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (!waiting) return
    const { stream, parts, size, position } = waiting
    waiting = undefined
    const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, size)
    const chunks: AppendLog['chunks'] = []
    for (let at = 0; at < size; at += CHUNK_BYTES)
      chunks.push({ seq: ++seq, stream, at: now(), bytes: bytes.subarray(at, at + CHUNK_BYTES) })
    lastSentAt = performance.now()
    last = append({ claim, step, chunks, position }, size)
  }

  const flush = async (): Promise<void> => {
    send()
    await last
    if (failure !== undefined) throw failure
  }

  return {
    async write(stream, bytes, position) {
      if (bytes.length === 0) return
      if (waiting && waiting.stream !== stream) send()
      waiting ??= { stream, parts: [], size: 0, position }
      waiting.position = position
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
