import { readEscaped } from '../read-text.js'
import { Fault } from '../source-fault.js'
import type { Token } from './syntax.js'

const WORD = /[\p{L}_][\p{L}\p{Nd}_]*/uy
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y
const STARTS_NUMBER = /^(?:[+-]?\d|[+-]?\.\d)/
/** What may follow a name, variable, field or number without a space. */
const TERMINATOR = /^(?:[\s.,|:()=]|$|\}\})/

interface Action {
  tokens: Token[]
  /** Where the text behind the action starts. */
  end: number
  /** The action ends with `-}}`. */
  isTrimmed: boolean
}

/** The tokens of the action that opened at `open`, from `inside`; the last is `end`. */
export function tokenizeAction(source: string, open: number, inside: number): Action {
  const tokens: Token[] = []
  for (let at = inside; ;) {
    const start = skipSpace(source, at)
    const isSpaced = start > at
    const close = closeAt(source, start, isSpaced)
    if (close !== undefined) {
      tokens.push({ kind: 'end', text: 'the end', at: start, isGlued: false })
      return { tokens, ...close }
    }
    if (start >= source.length) throw new Fault(open, 'the action is not closed')
    const { token, end } = readToken(source, start)
    tokens.push({ ...token, at: start, isGlued: !isSpaced && tokens.length > 0 })
    at = end
  }
}

function skipSpace(source: string, from: number): number {
  let at = from
  while (at < source.length && ' \t\r\n'.includes(source.charAt(at))) at++
  return at
}

function closeAt(
  source: string,
  at: number,
  isSpaced: boolean,
): { end: number; isTrimmed: boolean } | undefined {
  if (source.startsWith('}}', at)) return { end: at + 2, isTrimmed: false }
  const isTrimmed = isSpaced && source.startsWith('-}}', at)
  return isTrimmed ? { end: at + 3, isTrimmed } : undefined
}

interface Read {
  token: Pick<Token, 'kind' | 'text' | 'number'>
  end: number
}

function readToken(source: string, at: number): Read {
  const first = source.charAt(at)
  if (first === '"') {
    const { value, end } = readEscaped(source, at, '"')
    return { token: { kind: 'text', text: value }, end }
  }
  if (first === '`') return readRaw(source, at)
  if (first === "'") return readCharacter(source, at)
  if (STARTS_NUMBER.test(source.slice(at, at + 3))) return readNumber(source, at)
  if (first === '.' || first === '$') return readName(source, at, first)
  const word = matchAt(WORD, source, at)
  if (word !== undefined) return terminated(source, at + word.length, { kind: 'name', text: word })
  for (const symbol of [':=', '=', '|', ',', '(', ')'])
    if (source.startsWith(symbol, at))
      return { token: { kind: 'symbol', text: symbol }, end: at + symbol.length }
  throw unexpected(source, at)
}

function unexpected(source: string, at: number): Fault {
  const character = String.fromCodePoint(source.codePointAt(at) ?? 0)
  return new Fault(at, `unexpected character ${JSON.stringify(character)}`)
}

function terminated(source: string, end: number, token: Read['token']): Read {
  if (!TERMINATOR.test(source.slice(end, end + 2))) throw unexpected(source, end)
  return { token, end }
}

/** `.`, `.field`, `$` and `$variable`. */
function readName(source: string, at: number, first: string): Read {
  const name = matchAt(WORD, source, at + 1) ?? ''
  const end = at + 1 + name.length
  if (first === '$') return terminated(source, end, { kind: 'variable', text: `$${name}` })
  return name === ''
    ? terminated(source, end, { kind: 'dot', text: '.' })
    : terminated(source, end, { kind: 'field', text: name })
}

function readRaw(source: string, at: number): Read {
  const close = source.indexOf('`', at + 1)
  if (close === -1) throw new Fault(at, 'the text is not closed')
  const text = source.slice(at + 1, close).replaceAll('\r', '')
  return { token: { kind: 'text', text }, end: close + 1 }
}

/** `'a'` is the number of the character. */
function readCharacter(source: string, at: number): Read {
  const { value, end } = readEscaped(source, at, "'")
  const number = value.codePointAt(0)
  if (number === undefined || String.fromCodePoint(number) !== value)
    throw new Fault(at, 'a single character is expected between the quotes')
  return { token: { kind: 'number', text: source.slice(at, end), number }, end }
}

function readNumber(source: string, at: number): Read {
  const text = matchAt(NUMBER, source, at) ?? ''
  const digits = text.replaceAll('_', '')
  const number = digits.startsWith('-') ? -Number(digits.slice(1)) : Number(digits.replace('+', ''))
  if (text === '' || Number.isNaN(number)) throw new Fault(at, 'not a number')
  const isWhole = !/[.eE]/.test(digits) || /^[+-]?0x/i.test(digits)
  if (!Number.isFinite(number) || (isWhole && !Number.isSafeInteger(number)))
    throw new Fault(at, 'the number is too large')
  return terminated(source, at + text.length, { kind: 'number', text, number: number + 0 })
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0]
}
