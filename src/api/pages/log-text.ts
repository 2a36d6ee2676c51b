/**
 * Turns output into text that does nothing: terminal sequences go, what else would hide or reorder
 * text is made visible. A sequence may come in two pieces, so there is state; one cleaner a stream.
 */
export interface LogCleaner {
  push(text: string): string
  /** What was held back as the beginning of a sequence. */
  end(): string
}

/** Longest beginning of a sequence that is held back: no terminal title or link needs more. */
const MAX_HELD_CHARS = 4_096

export function createLogCleaner(): LogCleaner {
  let held = ''
  return {
    push(text) {
      const all = held + text
      const at = findOpenSequence(all)
      held = at < 0 ? '' : all.slice(at)
      return clean(at < 0 ? all : all.slice(0, at))
    },
    end() {
      const rest = held
      held = ''
      return clean(rest)
    },
  }
}

/** A whole text at once. */
export function visibleText(text: string): string {
  const cleaner = createLogCleaner()
  return cleaner.push(text) + cleaner.end()
}

// every alternative consumes what it scans once: no input takes more than linear time
const SEQUENCES =
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ\\`-~])/g

/** Without tab and line feed; C1 controls and Unicode's line separators too. */
// oxlint-disable-next-line no-control-regex -- see above
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g

/** Marks that reorder or hide what is around them. */
const INVISIBLES = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g

function clean(text: string): string {
  return text
    .replace(SEQUENCES, '')
    .replace(/\r\n?/g, '\n')
    .replace(CONTROLS, picture)
    .replace(INVISIBLES, (mark) => `[U+${hex(mark)}]`)
}

function picture(control: string): string {
  const code = control.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '\u2421' : '\ufffd'
}

function hex(mark: string): string {
  return mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
}

/** Where a sequence, or a line end of two characters, begins that the text does not finish; -1. */
function findOpenSequence(text: string): number {
  if (text.endsWith('\r')) return text.length - 1
  const last = text.lastIndexOf('\x1b')
  // what ends a string begins with an escape too
  const before = last > 0 ? text.lastIndexOf('\x1b', last - 1) : -1
  for (const at of [before, last])
    if (at >= 0 && text.length - at <= MAX_HELD_CHARS && isOpen(text.slice(at))) return at
  return -1
}

function isOpen(sequence: string): boolean {
  // oxlint-disable-next-line no-control-regex -- see above
  return /^\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/.test(sequence)
}
