import type { OutputStream } from '../../shared/contract/statuses.js'
import type { LogPosition } from '../../shared/db/log-positions.js'
import type { Redactor } from '../../shared/redact/redactor.js'
import type { OutputChunk, StreamOffsets } from '../drivers/driver.js'
import type { LogBatcher } from './log-batcher.js'
import type { StoredOutput } from './stored-output.js'
import { createTextHead } from './text-head.js'

/** What of a step's output goes into its result, per stream; the log keeps more. */
const RESULT_BYTES = 1_048_576

const STREAMS = ['stdout', 'stderr'] as const

/** Takes one step's raw output: masks it, stores it, cuts it off at its limit, keeps its start. */
export interface StepOutput {
  /** Where the driver's streams go on that are not stored or held yet. */
  readonly from: StreamOffsets
  write(
    chunk: Omit<OutputChunk, 'skippedBytes'> & { skippedBytes?: number | undefined },
  ): Promise<void>
  /** Text of ours about the start, before any output of the try: it is in the log alone. */
  note(text: string): Promise<void>
  /** Stores what was held back and, when some was cut off, says how much. */
  end(): Promise<CapturedOutput>
}

export interface CapturedOutput {
  /** The start of each stream, masked. */
  stdout: string
  stderr: string
  /** Some output is in the log only, or nowhere. */
  isTruncated: boolean
}

export interface StepOutputOptions {
  redactor: Redactor
  log: LogBatcher
  /** Bytes that the log keeps of the step. */
  limitBytes: number
  /** Largest message to the guest: the captured output fits into it, whatever it holds. */
  messageBytes: number
  /** Which try of the step it is; from 1. */
  tryNumber: number
  /** What is in the log already. */
  stored?: StoredOutput | undefined
  /** Gets the masked output as well; waited for. */
  onOutput?: ((stream: OutputStream, bytes: Buffer) => Promise<void>) | undefined
}

/**
 * Goes on where what is stored ends: a position tells which bytes of the driver's streams that
 * stands for, so those behind it are read again, masked again and missed by nobody.
 */
export async function openStepOutput(options: StepOutputOptions): Promise<StepOutput> {
  const { redactor, log, limitBytes, messageBytes, tryNumber, stored, onOutput } = options
  const masks = { stdout: redactor.openStream(), stderr: redactor.openStream() }
  const heads = { stdout: createTextHead(RESULT_BYTES), stderr: createTextHead(RESULT_BYTES) }
  const position = stored?.position?.try === tryNumber ? stored.position : begin(tryNumber)
  const from = { stdout: position.stdout, stderr: position.stderr }
  let keptBytes = stored?.bytes ?? 0
  let skippedBytes = 0

  const append = async (stream: OutputStream, bytes: Buffer): Promise<void> => {
    heads[stream].push(bytes)
    await log.write(stream, bytes, { ...position })
    if (onOutput && bytes.length > 0) await onOutput(stream, bytes)
  }

  const store = async (stream: OutputStream, bytes: Buffer): Promise<void> => {
    const kept = bytes.subarray(0, Math.max(0, limitBytes - keptBytes))
    keptBytes += kept.length
    position.dropped += bytes.length - kept.length
    await append(stream, kept)
  }

  if (stored && stored.position?.try !== tryNumber && tryNumber > 1) {
    position.firstSeq = log.lastSeq + 1
    const note = Buffer.from(LOST_NOTE)
    await log.write('stderr', note, { ...position })
    await onOutput?.('stderr', note)
  } else if (stored && stored.lastSeq > 0) {
    // the chunks of this try: their start belongs to the result
    for (const { stream, bytes } of stored.chunks(position.firstSeq)) {
      heads[stream].push(bytes)
      if (heads.stdout.isCut && heads.stderr.isCut) break
    }
  }

  return {
    from,

    async note(text) {
      // a chunk of its own, behind which the output begins
      position.firstSeq = log.lastSeq + 1
      await log.write('stderr', Buffer.from(redactor.redact(text)), { ...position })
      await log.flush()
    },

    async write({ stream, bytes, offset, skippedBytes: skipped = 0 }) {
      from[stream] = offset + bytes.length
      if (position.isOver) return
      skippedBytes += skipped
      const clean = masks[stream].push(bytes)
      position[stream] = from[stream] - masks[stream].heldBytes
      await store(stream, clean)
    },

    async end() {
      for (const stream of STREAMS) {
        position[stream] = from[stream]
        await store(stream, masks[stream].end())
      }
      const missing = position.dropped + skippedBytes
      if (missing > 0 && !position.isOver) {
        position.isOver = true
        await append('stderr', truncationMarker(missing, limitBytes))
      }
      await log.end()
      const stdout = fitMessage(heads.stdout.text(), messageBytes / 3)
      const stderr = fitMessage(heads.stderr.text(), messageBytes / 3)
      const isHeadCut = heads.stdout.isCut || heads.stderr.isCut
      const isTruncated = position.isOver || stdout.isCut || stderr.isCut || isHeadCut
      return { stdout: stdout.text, stderr: stderr.text, isTruncated }
    },
  }
}

function begin(tryNumber: number): LogPosition {
  return { try: tryNumber, firstSeq: 0, stdout: 0, stderr: 0, dropped: 0, isOver: false }
}

const LOST_NOTE =
  '\n[pocketci] the step was lost: its machine or wrapper died, so nobody knows how it ended. It runs once more\n'

function truncationMarker(droppedBytes: number, limitBytes: number): Buffer {
  const limit = Math.round(limitBytes / 1_048_576)
  return Buffer.from(
    `\n[pocketci] output truncated: ${droppedBytes} bytes are missing here, for a step keeps ${limit} MiB (--max-log-mb)\n`,
  )
}

/** Control characters take six bytes each in JSON: a text that grows too large is halved until it fits. */
function fitMessage(text: string, limitBytes: number): { text: string; isCut: boolean } {
  let fitting = text
  while (Buffer.byteLength(JSON.stringify(fitting)) > limitBytes)
    fitting = fitting.slice(0, Math.floor(fitting.length / 2))
  return { text: fitting, isCut: fitting.length < text.length }
}
