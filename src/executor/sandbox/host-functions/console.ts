import { z } from 'zod'
import type { Redactor } from '../../../shared/redact/redactor.js'
import type { LogPosition } from '../../../shared/db/log-positions.js'
import type { LogBatcher } from '../../steps/log-batcher.js'
import type { StoredOutput } from '../../steps/stored-output.js'

/** Keys the run's console in the log, where tasks have their step; it is no task itself. */
export const CONSOLE_STEP = 0

const argsSchema = z.tuple([z.enum(['log', 'info', 'debug', 'warn', 'error']), z.string()])

export interface ConsoleOptions {
  redactor: Redactor
  log: LogBatcher
  /** Bytes kept of a run's console. */
  limitBytes: number
  /** What earlier attempts have written: the guest prints it again, and it is not stored again. */
  stored: StoredOutput | undefined
  /** Of the run: each prints all of its lines. */
  generation: number
  onFailure(error: unknown): void
}

/** `console.*` of the guest: lines of the run's own log; warnings and errors are its stderr. */
export function createConsoleFunction(options: ConsoleOptions) {
  const { redactor, log, limitBytes, stored, generation, onFailure } = options
  // the position of the console counts lines, of one generation of the run
  const position: LogPosition =
    stored?.position?.try === generation ? stored.position : { ...BEGIN, try: generation }
  const storedLines = position.stdout
  let lines = 0
  let written = stored?.bytes ?? 0
  return (args: readonly unknown[]): null => {
    const [level, text] = argsSchema.parse(args)
    if (++lines <= storedLines || position.isOver) return null
    const line = Buffer.from(`${redactor.redact(text)}\n`)
    written += line.length
    position.stdout = lines
    position.isOver = written > limitBytes
    const kept = position.isOver ? TRUNCATED : line
    const stream = level === 'warn' || level === 'error' ? 'stderr' : 'stdout'
    // not awaited: the guest's call is synchronous; the limit bounds what can pile up
    log.write(stream, kept, { ...position }).catch(onFailure)
    return null
  }
}

const BEGIN = { try: 1, firstSeq: 0, stdout: 0, stderr: 0, dropped: 0, isOver: false }

const TRUNCATED = Buffer.from('[pocketci] console output truncated (--max-log-mb)\n')
