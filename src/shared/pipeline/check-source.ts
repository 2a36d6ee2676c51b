import { invalidPipeline } from './invalid-pipeline.js'

/** The name that a stored pipeline's file goes by in every message. */
export const SOURCE_FILE = 'main.js'

/**
 * Nobody nests this deep by hand. The compiler recurses once a level and cannot catch the overflow:
 * it would die and take the compilations beside it along.
 */
const MAX_NESTING = 2_000

/** Refuses what the compiler should never see: too much text, control characters, deep nesting. */
export function checkSource(source: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(source)
  if (bytes > maxBytes)
    throw invalidPipeline(`the pipeline is too large: ${bytes} bytes, of ${maxBytes} at most`)

  let depth = 0
  for (let index = 0; index < source.length; index++) {
    const unit = source.charCodeAt(index)
    if (isControl(unit)) {
      const name = `U+${unit.toString(16).toUpperCase().padStart(4, '0')}`
      throw invalidPipeline(
        `control character ${name}`,
        positionOf(source, index),
        'syntax error: ',
      )
    }
    depth += nestingOf(unit)
    if (depth > MAX_NESTING)
      throw invalidPipeline('nested too deeply', positionOf(source, index), 'syntax error: ')
  }
}

/** Unicode's Cc but for tab, line feed and carriage return. */
function isControl(unit: number): boolean {
  if (unit === 0x09 || unit === 0x0a || unit === 0x0d) return false
  return unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)
}

/** Brackets in strings and comments count too: they balance well enough. */
function nestingOf(unit: number): number {
  switch (unit) {
    case 0x28: // (
    case 0x5b: // [
    case 0x7b: // {
      return 1
    case 0x29: // )
    case 0x5d: // ]
    case 0x7d: // }
      return -1
    default:
      return 0
  }
}

function positionOf(source: string, index: number) {
  const before = source.slice(0, index)
  const line = before.split(/\r\n|\r|\n/).length
  const lineStart = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1
  return { file: SOURCE_FILE, line, column: index - lineStart + 1 }
}
