import { Fault } from '../source-fault.js'
import type { Piece, Token } from './syntax.js'

/** The tokens of one action that are still to be read. */
export interface ActionReader {
  /** Where its `{{` is. */
  at: number
  peek(ahead?: number): Token
  next(): Token
  /** Consumes the token when it is this symbol. */
  accept(symbol: string): boolean
  isAtEnd(): boolean
  expectEnd(): void
  expectText(): string
}

export function openAction({ at, tokens }: Extract<Piece, { kind: 'action' }>): ActionReader {
  let next = 0
  const peek = (ahead = 0): Token => {
    const token = tokens[Math.min(next + ahead, tokens.length - 1)]
    if (!token) throw new Error('an action without tokens')
    return token
  }
  const take = (): Token => {
    const token = peek()
    next++
    return token
  }
  return {
    at,
    peek,
    next: take,
    accept: (symbol) => isSymbol(peek(), symbol) && take() !== undefined,
    isAtEnd: () => peek().kind === 'end',
    expectEnd() {
      if (peek().kind !== 'end') throw unexpectedToken(peek())
    },
    expectText() {
      if (peek().kind !== 'text') throw unexpectedToken(peek(), '; a name in quotes is expected')
      return take().text
    },
  }
}

export function isSymbol(token: Token, symbol: string): boolean {
  return token.kind === 'symbol' && token.text === symbol
}

export function unexpectedToken({ kind, text, at }: Token, wanted = ''): Fault {
  const prefix = kind === 'field' ? '.' : ''
  const what = kind === 'end' ? 'end of the action' : JSON.stringify(prefix + text)
  return new Fault(at, `unexpected ${what}${wanted}`)
}
