import { SourceMap } from 'node:module'
import type { GuestError } from './pipeline-vm.js'
import { PRELUDE_PREFIX } from './engine-options.js'
import { PROGRAM_FILE } from './open-guest.js'

/** Translates what the engine says about places in the compiled program to the author's file. */
export interface SourcePositions {
  /** The error with a stack of the author's own lines; without one when none is left. */
  mapError(error: GuestError): GuestError
  /** Any text: stack frames in it become the author's, the sandbox's own are left out. */
  mapText(text: string): string
}

/** Frames kept of a stack; the first ones say where. */
const MAX_FRAMES = 30

/** The map is parsed when the first error needs it. */
export function createSourcePositions(sourceMapText: string): SourcePositions {
  let map: SourceMap | undefined
  const mapOf = (): SourceMap | undefined => (map ??= parseSourceMap(sourceMapText))

  return {
    mapError({ message, stack }) {
      const frames = (stack ?? '')
        .split('\n')
        .filter(isAuthorFrame)
        .slice(0, MAX_FRAMES)
        .map((frame) => mapFrame(frame, mapOf()))
      return { message, ...(frames.length === 0 ? {} : { stack: frames.join('\n') }) }
    },

    mapText(text) {
      if (!text.includes('    at ')) return text
      return text
        .split('\n')
        .filter((line) => !FRAME.test(line) || isAuthorFrame(line))
        .map((line) => (FRAME.test(line) ? mapFrame(line, mapOf()) : line))
        .join('\n')
    },
  }
}

/** Frames of the prelude and of natives say nothing to an author. */
function isAuthorFrame(frame: string): boolean {
  return frame.trim() !== '' && !frame.includes(PRELUDE_PREFIX) && !frame.includes('(native)')
}

const FRAME = /^ {4}at /

const POSITION = new RegExp(`${PROGRAM_FILE.replace('.', '\\.')}:(\\d+):(\\d+)`)

function mapFrame(frame: string, map: SourceMap | undefined): string {
  return frame.replace(POSITION, (text, line: string, column: string) => {
    const origin = map?.findEntry(Number(line) - 1, Number(column) - 1)
    if (!origin || !('originalSource' in origin)) return text
    const { originalSource, originalLine, originalColumn } = origin
    // a damaged map has entries that lead nowhere
    if (typeof originalSource !== 'string') return text
    return `${originalSource}:${originalLine + 1}:${originalColumn + 1}`
  })
}

/** A damaged map costs the positions, never the error itself. */
function parseSourceMap(text: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(text))
  } catch {
    return undefined
  }
}
