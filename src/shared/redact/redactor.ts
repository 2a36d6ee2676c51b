/** What stands in place of a secret. */
export const PLACEHOLDER = '***REDACTED***'

/** Shorter values are not masked: they would shred ordinary text and hide nothing. */
export const MIN_SECRET_CHARS = 4

/** Shortest line of a multi-line secret that is masked on its own. */
const MIN_LINE_CHARS = 8

/**
 * The secrets that one run has resolved, for the whole life of the run. It stands in front of all
 * that the run stores or sends: output, errors, names.
 */
export interface Redactor {
  /** Masks this value from now on, also base64-, URL- and JSON-encoded. False: too short to mask. */
  add(secret: string): boolean
  /** Masks a whole text. */
  redact(text: string): string
  /** Masks a stream, also where a secret straddles two chunks. */
  openStream(): RedactorStream
}

export interface RedactorStream {
  /** What is safe to pass on by now; holds back an end that may be the start of a secret. */
  push(chunk: Buffer): Buffer
  /** What was held back. */
  end(): Buffer
  /** Bytes that are held back at this moment, as they came in. */
  readonly heldBytes: number
}

export function createRedactor(): Redactor {
  const known = new Set<string>()
  // longest first: of two that start at the same place, the longer one is masked
  let patterns: Buffer[] = []

  return {
    add(secret) {
      if (secret.length < MIN_SECRET_CHARS) return false
      for (const form of formsOf(secret)) known.add(form)
      patterns = [...known].map((form) => Buffer.from(form)).sort((a, b) => b.length - a.length)
      return true
    },
    redact: (text) => (patterns.length === 0 ? text : mask(Buffer.from(text), patterns).toString()),
    openStream() {
      let held: Buffer = Buffer.alloc(0)
      return {
        push(chunk) {
          if (patterns.length === 0 && held.length === 0) return chunk
          const data = held.length === 0 ? chunk : Buffer.concat([held, chunk])
          const { clean, rest } = maskSafe(data, patterns)
          held = rest
          return clean
        },
        end() {
          const clean = mask(held, patterns)
          held = Buffer.alloc(0)
          return clean
        },
        get heldBytes() {
          return held.length
        },
      }
    },
  }
}

/** The ways in which a secret shows up in output. */
function* formsOf(secret: string): Generator<string> {
  yield secret
  yield encodeURIComponent(secret)
  yield JSON.stringify(secret).slice(1, -1)
  yield Buffer.from(secret).toString('hex')
  yield* base64Forms(secret)
  const lines = secret.split(/\r?\n/)
  if (lines.length === 1) return
  yield lines.join('\r\n')
  yield lines.join('\n')
  for (const line of lines) if (line.trim().length >= MIN_LINE_CHARS) yield line.trim()
}

/** Base64 of the secret inside longer data: at each of three offsets, without the shared edges. */
function* base64Forms(secret: string): Generator<string> {
  const bytes = Buffer.from(secret)
  for (const lead of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(lead), bytes])
    const whole = Math.floor((padded.length * 8) / 6)
    const form = padded.toString('base64').slice(lead === 0 ? 0 : lead + 1, whole)
    if (form.length < MIN_SECRET_CHARS) continue
    yield form
    yield form.replaceAll('+', '-').replaceAll('/', '_')
  }
}

function mask(data: Buffer, patterns: readonly Buffer[]): Buffer {
  const { parts, end } = maskUpTo(data, patterns, data.length)
  return Buffer.concat([...parts, data.subarray(end)])
}

/** Masks up to where an end of the data may be the start of a secret. */
function maskSafe(data: Buffer, patterns: readonly Buffer[]): { clean: Buffer; rest: Buffer } {
  const safe = data.length - longestPartial(data, patterns)
  const { parts, end } = maskUpTo(data, patterns, safe)
  const cut = Math.max(end, safe)
  // copied: the caller may keep the rest while the chunk's memory is used again
  return {
    clean: Buffer.concat([...parts, data.subarray(end, cut)]),
    rest: Buffer.from(data.subarray(cut)),
  }
}

/** Masks every secret that starts before `limit`; `end` is where the last one ended. */
function maskUpTo(data: Buffer, patterns: readonly Buffer[], limit: number) {
  const parts: Buffer[] = []
  let end = 0
  for (;;) {
    const match = firstMatch(data, patterns, end)
    if (!match || match.at >= limit) return { parts, end }
    parts.push(data.subarray(end, match.at), MASK)
    end = match.at + match.length
  }
}

const MASK = Buffer.from(PLACEHOLDER)

function firstMatch(data: Buffer, patterns: readonly Buffer[], from: number) {
  let best: { at: number; length: number } | undefined
  for (const pattern of patterns) {
    const at = data.indexOf(pattern, from)
    if (at !== -1 && (!best || at < best.at)) best = { at, length: pattern.length }
  }
  return best
}

/** Length of the longest end of the data that is the start of a pattern. */
function longestPartial(data: Buffer, patterns: readonly Buffer[]): number {
  let longest = 0
  for (const pattern of patterns) {
    const first = pattern[0] ?? 0
    const from = Math.max(0, data.length - pattern.length + 1)
    for (let at = data.indexOf(first, from); at !== -1; at = data.indexOf(first, at + 1)) {
      const length = data.length - at
      if (length <= longest) break
      if (data.compare(pattern, 0, length, at) === 0) longest = length
    }
  }
  return longest
}
