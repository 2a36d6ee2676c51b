import { Fault } from '../source-fault.js'
import { readText } from '../read-text.js'
import type { Token } from './syntax.js'

const KEYWORDS = new Set(
  'and or not in matches contains startsWith endsWith let if else'.split(' '),
)
const NAME = /[\p{L}_$][\p{L}\p{Nd}_$]*/uy
const NUMBER =
  /0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*)?(?:\.(?!\.)[\d_]*)?(?:[eE][+-]?\d[\d_]*)?/y
const SYMBOL = /\?\?|\?\.|\|\||&&|==|!=|<=|>=|\*\*|\.\.|[-+*/%^<>!?:.,;|#()[\]{}=]/y
const SKIPPED = /(?:\s+|\/\/[^\n]*|\/\*[^]*?\*\/)+/y

/** Splits a source into tokens; the last one is `end`. Throws a Fault. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  for (let at = skip(source, 0); at < source.length;) {
    const { token, end } = readToken(source, at)
    tokens.push(token)
    at = skip(source, end)
  }
  tokens.push({ kind: 'end', text: 'the end', at: source.length })
  return tokens
}

function skip(source: string, at: number): number {
  return at + (matchAt(SKIPPED, source, at)?.length ?? 0)
}

function readToken(source: string, at: number): { token: Token; end: number } {
  const first = source.charAt(at)
  if (source.startsWith('/*', at)) throw new Fault(at, 'the comment is not closed')
  if (first === '"' || first === "'" || first === '`') {
    const { value, end } = readText(source, at)
    return { token: { kind: 'text', text: value, at }, end }
  }
  if (/\d/.test(first) || /^\.\d/.test(source.slice(at, at + 2))) return readNumber(source, at)
  const name = matchAt(NAME, source, at)
  if (name !== undefined)
    return {
      token: { kind: KEYWORDS.has(name) ? 'keyword' : 'name', text: name, at },
      end: at + name.length,
    }
  const symbol = matchAt(SYMBOL, source, at)
  if (symbol === undefined)
    throw new Fault(at, `unexpected character ${JSON.stringify(characterAt(source, at))}`)
  return { token: { kind: 'symbol', text: symbol, at }, end: at + symbol.length }
}

function readNumber(source: string, at: number): { token: Token; end: number } {
  const digits = matchAt(NUMBER, source, at) ?? ''
  const end = at + digits.length
  if (digits === '' || matchAt(NAME, source, end) !== undefined || /\d/.test(source.charAt(end)))
    throw new Fault(at, 'not a number')
  return { token: { kind: 'number', text: digits.replaceAll('_', ''), at }, end }
}

function characterAt(source: string, at: number): string {
  return String.fromCodePoint(source.codePointAt(at) ?? 0)
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0]
}
