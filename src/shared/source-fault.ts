import { AppError, type ErrorCode } from './errors.js'
import { positionOf } from './source-position.js'

/** A fault at an offset of a source text; reportFaults makes an AppError of it. */
export class Fault extends Error {
  readonly at: number

  constructor(at: number, message: string, options?: { cause: unknown }) {
    super(message, options)
    this.at = at
  }
}

/**
 * Turns a Fault of `work` into an AppError of this code: its message starts with the place, its details
 * are `line` and `column` from 1, and `reason`.
 */
export function reportFaults<Value>(source: string, code: ErrorCode, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const { line, column } = positionOf(source, error.at)
    const place = source.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`
    throw new AppError(code, `${place}: ${error.message}`, {
      cause: error,
      details: { line, column, reason: error.message },
    })
  }
}
