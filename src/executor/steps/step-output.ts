import type { OutputStream } from '../../shared/contract/statuses.js'
import type { Redactor } from '../../shared/redact/redactor.js'
import type { LogBatcher } from './log-batcher.js'
import { createTextHead } from './text-head.js'

/** What of a step's output goes into its result, per stream; the log keeps more. */
const RESULT_BYTES = 1_048_576

const STREAMS = ['stdout', 'stderr'] as const

/** Takes one step's raw output: masks it, stores it, cuts it off at its limit, keeps its start. */
export interface StepOutput {
  write(stream: OutputStream, bytes: Buffer): Promise<void>
  /** Bytes that the step wrote and nobody kept. */
  skip(bytes: number): void
  /** Stores what was held back and, when some was cut off, says how much. */
  end(): Promise<CapturedOutput>
}

export interface CapturedOutput {
  /** The start of each stream, masked. */
  stdout: string
  stderr: string
  /** Some output is in the log only. */
  isTruncated: boolean
}

export interface StepOutputOptions {
  redactor: Redactor
  log: LogBatcher
  /** Bytes that the log keeps of the step. */
  limitBytes: number
  /** Largest message to the guest: the captured output fits into it, whatever it holds. */
  messageBytes: number
  /** Gets the masked output as well; waited for. */
  onOutput?: ((stream: OutputStream, bytes: Buffer) => Promise<void>) | undefined
}

export function openStepOutput(options: StepOutputOptions): StepOutput {
  const { redactor, log, limitBytes, messageBytes, onOutput } = options
  const masks = { stdout: redactor.openStream(), stderr: redactor.openStream() }
  const heads = { stdout: createTextHead(RESULT_BYTES), stderr: createTextHead(RESULT_BYTES) }
  let keptBytes = 0
  let droppedBytes = 0

  const store = async (stream: OutputStream, bytes: Buffer): Promise<void> => {
    heads[stream].push(bytes)
    const kept = bytes.subarray(0, Math.max(0, limitBytes - keptBytes))
    keptBytes += kept.length
    droppedBytes += bytes.length - kept.length
    await log.write(stream, kept)
    if (onOutput && kept.length > 0) await onOutput(stream, kept)
  }

  return {
    write: (stream, bytes) => store(stream, masks[stream].push(bytes)),
    skip(bytes) {
      droppedBytes += bytes
    },
    async end() {
      for (const stream of STREAMS) await store(stream, masks[stream].end())
      if (droppedBytes > 0) await log.write('stderr', truncationMarker(droppedBytes, limitBytes))
      await log.end()
      const stdout = fitMessage(heads.stdout.text(), messageBytes / 3)
      const stderr = fitMessage(heads.stderr.text(), messageBytes / 3)
      const isTruncated = stdout.isCut || stderr.isCut || heads.stdout.isCut || heads.stderr.isCut
      return { stdout: stdout.text, stderr: stderr.text, isTruncated }
    },
  }
}

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
