import { RE2JS } from 're2js'
import { errorMessage, isStackOverflow } from './errors.js'

const MAX_PATTERN_CHARS = 4_096

/** A regular expression in RE2 syntax: linear in the text, whatever the pattern. */
export interface LinearPattern {
  /** Steps that a search of one character may take. */
  readonly size: number
  /** True when the pattern is found anywhere in the text. */
  test(text: string): boolean
  /** Where the pattern is found, from left to right, with what its groups took. */
  findAll(text: string): Iterable<PatternMatch>
}

export interface PatternMatch {
  start: number
  end: number
  /** The whole match, then each group; undefined where a group took no part. */
  groups: readonly (string | undefined)[]
  /** The groups that have a name. */
  names: ReadonlyMap<string, string | undefined>
}

/** Throws a plain Error, `invalid regular expression: …`, for a pattern that RE2 would refuse. */
export function compileLinearPattern(pattern: string): LinearPattern {
  const compiled = compile(pattern)
  return {
    size: compiled.programSize(),
    test: (text) => compiled.test(text),
    findAll: (text) => findAll(compiled, text),
  }
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

function* findAll(compiled: RE2JS, text: string): Generator<PatternMatch> {
  const matcher = compiled.matcher(text)
  const names = Object.entries(compiled.namedGroups())
  let last = -1
  while (matcher.find()) {
    // as in Go: nothing is found right behind what was found
    if (matcher.start() === matcher.end() && matcher.start() === last) continue
    last = matcher.end()
    const groups = Array.from(
      { length: matcher.groupCount() + 1 },
      (_, group) => matcher.group(group) ?? undefined,
    )
    yield {
      start: matcher.start(),
      end: matcher.end(),
      groups,
      names: new Map(names.map(([name, group]) => [name, groups[group]])),
    }
  }
}
