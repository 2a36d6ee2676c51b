import { Fault } from '../source-fault.js'
import type { Node, Token } from './syntax.js'

/** The tokens that are still to be read. */
export interface Tokens {
  peek(ahead?: number): Token
  next(): Token
  /** Consumes the token when it is this symbol or keyword. */
  accept(text: string): boolean
  expect(text: string): Token
  expectKind(kind: Token['kind']): Token
}

/** What the parts of the parser share; they call one another through it. */
export interface Parser extends Tokens {
  /** Above zero within a predicate, where `#` and `.field` have a meaning. */
  predicateDepth: number
  /** An expression whose operators bind at least this tightly; 0 is a whole one. */
  parse(precedence: number): Node
}

export function openTokens(tokens: readonly Token[]): Tokens {
  let at = 0
  const end = tokens.at(-1)
  const peek = (ahead = 0): Token => {
    const token = tokens[at + ahead] ?? end
    if (!token) throw new Error('no tokens')
    return token
  }
  const isNext = (text: string): boolean => {
    const { kind, text: found } = peek()
    return text === 'end' ? kind === 'end' : isPunctuation(kind) && found === text
  }
  const next = (): Token => {
    const token = peek()
    at++
    return token
  }
  return {
    peek,
    next,
    accept: (text) => isNext(text) && next() !== undefined,
    expect(text) {
      if (isNext(text)) return next()
      const wanted = text === 'end' ? '' : `; "${text}" is expected`
      throw new Fault(peek().at, `unexpected ${describeToken(peek())}${wanted}`)
    },
    expectKind(kind) {
      if (peek().kind === kind) return next()
      throw new Fault(peek().at, `unexpected ${describeToken(peek())}; a ${kind} is expected`)
    },
  }
}

function isPunctuation(kind: Token['kind']): boolean {
  return kind === 'symbol' || kind === 'keyword'
}

export function describeToken({ kind, text }: Token): string {
  if (kind === 'end') return 'end of the expression'
  return kind === 'text' ? 'text' : `"${text}"`
}
