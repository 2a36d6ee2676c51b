import { createLogCleaner, type LogCleaner } from '../../log-text.js'

/** What is kept in the page of one step: more of it would make the page slow. */
const MAX_LINES = 5_000
const MAX_CHARS = 1_048_576
/** Longer lines are shown in pieces: one element of megabytes would be laid out again and again. */
const MAX_LINE_CHARS = 8_192

/** The output of a step, of which the page shows the last lines. */
export interface StepLog {
  append(stream: string, text: string): void
  /** Output that the server left out. */
  skip(bytes: number): void
  end(): void
  /** Puts what came since the last call into the page. */
  flush(): void
}

interface Line {
  stream: string
  text: string
  element?: HTMLElement
}

export function openStepLog(element: HTMLElement, showHidden: (note: string) => void): StepLog {
  const cleaners = new Map<string, LogCleaner>()
  // all lines that are kept; those without an element wait for the next flush
  const lines: Line[] = []
  let chars = 0
  let hiddenLines = 0
  let skippedBytes = 0
  let isNoteOld = false
  let open: Line | undefined
  let isOpenChanged = false

  const addLine = (stream: string, text: string): Line => {
    const line: Line = { stream, text }
    lines.push(line)
    chars += text.length
    while (lines.length > MAX_LINES || (chars > MAX_CHARS && lines.length > 1)) {
      const oldest = lines.shift()
      chars -= oldest?.text.length ?? 0
      oldest?.element?.remove()
      hiddenLines++
      isNoteOld = true
    }
    return line
  }
  const add = (stream: string, text: string): void => {
    const parts = text.split('\n')
    for (const [at, part] of parts.entries()) {
      const isLast = at === parts.length - 1
      for (const piece of cut(part)) {
        const isFull = !open || open.stream !== stream || open.text.length >= MAX_LINE_CHARS
        if (isFull) open = piece === '' && isLast ? open : addLine(stream, piece)
        else if (open) {
          open.text += piece
          chars += piece.length
          isOpenChanged = true
        }
      }
      if (!isLast) open = undefined
    }
  }
  const cleanerOf = (stream: string): LogCleaner => {
    let cleaner = cleaners.get(stream)
    if (!cleaner) cleaners.set(stream, (cleaner = createLogCleaner()))
    return cleaner
  }

  return {
    append: (stream, text) => add(stream, cleanerOf(stream).push(text)),
    skip(bytes) {
      skippedBytes += bytes
      isNoteOld = true
    },
    end() {
      for (const [stream, cleaner] of cleaners) {
        const rest = cleaner.end()
        if (rest !== '') add(stream, rest)
      }
    },
    flush() {
      if (isOpenChanged && open?.element) open.element.textContent = open.text
      isOpenChanged = false
      const fresh = document.createDocumentFragment()
      for (let at = lines.length - 1; at >= 0 && !lines[at]?.element; at--) {
        const line = lines[at]
        if (line) fresh.prepend((line.element = toElement(line)))
      }
      const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40
      element.append(fresh)
      if (isAtEnd) element.scrollTop = element.scrollHeight
      if (isNoteOld) showHidden(describeHidden(skippedBytes, hiddenLines))
      isNoteOld = false
    },
  }
}

function* cut(text: string): Generator<string> {
  // an empty line is a line
  if (text === '') yield text
  for (let at = 0; at < text.length; at += MAX_LINE_CHARS) yield text.slice(at, at + MAX_LINE_CHARS)
}

function toElement({ stream, text }: Line): HTMLElement {
  const element = document.createElement('div')
  element.className = stream === 'stderr' ? 'ln stderr' : 'ln'
  element.textContent = text
  return element
}

function describeHidden(bytes: number, lines: number): string {
  const parts = [
    ...(bytes > 0 ? [`${bytes.toLocaleString('en')} bytes`] : []),
    ...(lines > 0 ? [`${lines.toLocaleString('en')} lines`] : []),
  ]
  return `Only the end is shown: ${parts.join(' and ')} before it are hidden.`
}
