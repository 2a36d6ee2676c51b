import { RE2JS } from 're2js'
import { errorMessage, isStackOverflow } from './errors.js'

const MAX_PATTERN_CHARS = 4_096

/** A regular expression in RE2 syntax: linear in the text, whatever the pattern. */
export interface LinearPattern {
  /** Steps that a search of one character may take. */
  readonly size: number
  /** True when the pattern is found anywhere in the text. */
  test(text: string): boolean
}

/** Throws a plain Error, `invalid regular expression: …`, for a pattern that RE2 would refuse. */
export function compileLinearPattern(pattern: string): LinearPattern {
  const compiled = compile(pattern)
  return { size: compiled.programSize(), test: (text) => compiled.test(text) }
}

function compile(pattern: string): RE2JS {
  if (pattern.length > MAX_PATTERN_CHARS)
    throw new Error(`invalid regular expression: longer than ${MAX_PATTERN_CHARS} characters`)
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const reason = isStackOverflow(error) ? 'nested too deeply' : errorMessage(error)
    throw new Error(`invalid regular expression: ${reason}`, { cause: error })
  }
}
