import { countCharacters } from './characters.js'

/** A place in a source text; both count from 1, columns in characters (not UTF-16 units). */
export interface SourcePosition {
  line: number
  column: number
}

/** Where the UTF-16 offset `at` of a text is. */
export function positionOf(source: string, at: number): SourcePosition {
  const before = source.slice(0, at)
  const lineStart = before.lastIndexOf('\n') + 1
  return {
    line: before.split('\n').length,
    column: countCharacters(before.slice(lineStart)) + 1,
  }
}
