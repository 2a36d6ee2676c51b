import { Fault } from './source-fault.js'

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
}
const CODE_ESCAPE = /u\{([\da-fA-F]{1,6})\}|u([\da-fA-F]{4})|U([\da-fA-F]{8})|x([\da-fA-F]{2})/y
const OCTAL_ESCAPE = /[0-3][0-7]{2}/y

/** Reads the text literal that opens at `at`: `"…"` and `'…'` with escapes, `` `…` `` without. */
export function readText(source: string, at: number): { value: string; end: number } {
  const quote = source.charAt(at)
  return quote === '`' ? readRaw(source, at) : readEscaped(source, at, quote)
}

/** A doubled backtick stands for one. */
function readRaw(source: string, at: number): { value: string; end: number } {
  let end = source.indexOf('`', at + 1)
  while (end !== -1 && source.charAt(end + 1) === '`') end = source.indexOf('`', end + 2)
  if (end === -1) throw new Fault(at, 'the text is not closed')
  return { value: source.slice(at + 1, end).replaceAll('``', '`'), end: end + 1 }
}

/** Reads a literal with escapes that opens, and closes, with this quote. */
export function readEscaped(
  source: string,
  at: number,
  quote: string,
): { value: string; end: number } {
  let value = ''
  for (let next = at + 1; ;) {
    const char = source.charAt(next)
    if (char === quote) return { value, end: next + 1 }
    if (char === '' || char === '\n') throw new Fault(at, 'the text is not closed')
    if (char === '\\') {
      const escape = readEscape(source, next)
      value += escape.value
      next = escape.end
    } else {
      value += char
      next++
    }
  }
}

function readEscape(source: string, at: number): { value: string; end: number } {
  const simple = SIMPLE_ESCAPES[source.charAt(at + 1)]
  if (simple !== undefined) return { value: simple, end: at + 2 }
  const code = matchAt(CODE_ESCAPE, source, at + 1)
  if (code) {
    const digits = code.slice(1).find((group) => group !== undefined) ?? ''
    return { value: characterOf(parseInt(digits, 16), at), end: at + 1 + code[0].length }
  }
  const octal = matchAt(OCTAL_ESCAPE, source, at + 1)
  if (octal) return { value: characterOf(parseInt(octal[0], 8), at), end: at + 4 }
  throw new Fault(at, 'unknown escape in the text')
}

function characterOf(code: number, at: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    throw new Fault(at, 'the escape is not a character')
  return String.fromCodePoint(code)
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(source)
}
