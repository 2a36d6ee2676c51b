import { z } from 'zod'
import type { Redactor } from '../../../shared/redact/redactor.js'
import type { LogBatcher } from '../../steps/log-batcher.js'

/** Keys the run's console in the log, where tasks have their step; it is no task itself. */
export const CONSOLE_STEP = 0

const argsSchema = z.tuple([z.enum(['log', 'info', 'debug', 'warn', 'error']), z.string()])

export interface ConsoleOptions {
  redactor: Redactor
  log: LogBatcher
  /** Bytes kept of a run's console. */
  limitBytes: number
  onFailure(error: unknown): void
}

/** `console.*` of the guest: lines of the run's own log; warnings and errors are its stderr. */
export function createConsoleFunction(options: ConsoleOptions) {
  const { redactor, log, limitBytes, onFailure } = options
  let written = 0
  return (args: readonly unknown[]): null => {
    const [level, text] = argsSchema.parse(args)
    if (written > limitBytes) return null
    const line = Buffer.from(`${redactor.redact(text)}\n`)
    written += line.length
    const kept = written > limitBytes ? TRUNCATED : line
    const stream = level === 'warn' || level === 'error' ? 'stderr' : 'stdout'
    // not awaited: the guest's call is synchronous; the limit bounds what can pile up
    log.write(stream, kept).catch(onFailure)
    return null
  }
}

const TRUNCATED = Buffer.from('[pocketci] console output truncated (--max-log-mb)\n')
