import { Fault } from '../source-fault.js'
import { parseArguments } from './parse-call.js'
import { describeToken, type Parser } from './parser.js'
import type { Node, Token } from './syntax.js'

const LITERALS: ReadonlyMap<string, null | boolean> = new Map([
  ['true', true],
  ['false', false],
  ['nil', null],
])

/** One operand with its unary operators, members, indexes and slices. */
export function parsePrimary(parser: Parser): Node {
  const token = parser.next()
  switch (token.kind) {
    case 'number':
      return { kind: 'literal', at: token.at, value: numberOf(token) }
    case 'text':
      return parsePostfix(parser, { kind: 'literal', at: token.at, value: token.text })
    case 'name':
      return parseName(parser, token)
    case 'symbol':
    case 'keyword':
      return parsePunctuation(parser, token)
    case 'end':
      throw unexpected(token)
  }
}

function unexpected(token: Token): Fault {
  return new Fault(token.at, `unexpected ${describeToken(token)}`)
}

function numberOf({ text, at }: Token): number {
  const value = Number(text)
  if (!Number.isFinite(value)) throw new Fault(at, 'the number is too large')
  if (/^\d+$|^0[xob]/i.test(text) && !Number.isSafeInteger(value))
    throw new Fault(at, 'the integer is too large to be exact')
  return value
}

function parseName(parser: Parser, token: Token): Node {
  const literal = LITERALS.get(token.text)
  if (literal !== undefined) return { kind: 'literal', at: token.at, value: literal }
  if (isSymbol(parser.peek(), '(')) return parsePostfix(parser, parseArguments(parser, token, []))
  return parsePostfix(parser, { kind: 'name', at: token.at, name: token.text })
}

function parsePunctuation(parser: Parser, token: Token): Node {
  const { at } = token
  switch (token.text) {
    case 'not':
    case '!':
      return { kind: 'unary', at, operator: 'not', operand: parser.parse(50) }
    case '-':
    case '+':
      return { kind: 'unary', at, operator: token.text, operand: parser.parse(90) }
    case '(': {
      const node = parser.parse(0)
      parser.expect(')')
      return parsePostfix(parser, node)
    }
    case '[':
      return parsePostfix(parser, { kind: 'list', at, items: parseItems(parser, ']') })
    case '{':
      return parsePostfix(parser, { kind: 'map', at, entries: parseEntries(parser) })
    case '#':
      return parsePointer(parser, token)
    case '.':
      if (parser.predicateDepth === 0) throw unexpected(token)
      return parsePostfix(parser, parseMember(parser, { kind: 'pointer', at, name: '' }, false))
    default:
      throw unexpected(token)
  }
}

function parsePointer(parser: Parser, token: Token): Node {
  if (parser.predicateDepth === 0)
    throw new Fault(token.at, '"#" has a meaning only within a predicate')
  const next = parser.peek()
  const isNamed = next.kind === 'name' && next.at === token.at + 1
  if (isNamed) parser.next()
  return parsePostfix(parser, { kind: 'pointer', at: token.at, name: isNamed ? next.text : '' })
}

function parseItems(parser: Parser, close: string): Node[] {
  const items: Node[] = []
  while (!parser.accept(close)) {
    if (items.length > 0) {
      parser.expect(',')
      if (parser.accept(close)) break
    }
    items.push(parser.parse(0))
  }
  return items
}

function parseEntries(parser: Parser): { key: Node; value: Node }[] {
  const entries: { key: Node; value: Node }[] = []
  while (!parser.accept('}')) {
    if (entries.length > 0) {
      parser.expect(',')
      if (parser.accept('}')) break
    }
    const key = parseKey(parser)
    parser.expect(':')
    entries.push({ key, value: parser.parse(0) })
  }
  return entries
}

function parseKey(parser: Parser): Node {
  const token = parser.peek()
  if (isSymbol(token, '(')) return parsePrimary(parser)
  if (token.kind !== 'name' && token.kind !== 'text' && token.kind !== 'number')
    throw new Fault(
      token.at,
      `unexpected ${describeToken(token)}; a key is a name, a text, a number or an expression in parentheses`,
    )
  parser.next()
  return { kind: 'literal', at: token.at, value: token.text }
}

/** `.name`, `?.name`, `[key]`, `?.[key]` and `[from:to]`, as many as there are. */
function parsePostfix(parser: Parser, first: Node): Node {
  let node = first
  let isChain = false
  for (;;) {
    if (isSymbol(parser.peek(), '.')) {
      parser.next()
      node = parseMember(parser, node, false)
    } else if (isSymbol(parser.peek(), '?.')) {
      parser.next()
      isChain = true
      node = isSymbol(parser.peek(), '[')
        ? parseIndex(parser, node, true)
        : parseMember(parser, node, true)
    } else if (isSymbol(parser.peek(), '[')) {
      node = parseIndex(parser, node, false)
    } else return isChain ? { kind: 'chain', at: node.at, body: node } : node
  }
}

function parseMember(parser: Parser, target: Node, isOptional: boolean): Node {
  const token = parser.next()
  if (token.kind !== 'name' && token.kind !== 'keyword')
    throw new Fault(token.at, `unexpected ${describeToken(token)}; a name is expected`)
  const key: Node = { kind: 'literal', at: token.at, value: token.text }
  if (isSymbol(parser.peek(), '('))
    throw new Fault(token.at, `${token.text} cannot be called: there are no methods`)
  return { kind: 'member', at: token.at, target, key, isOptional }
}

function parseIndex(parser: Parser, target: Node, isOptional: boolean): Node {
  const { at } = parser.expect('[')
  const from = isSymbol(parser.peek(), ':') ? undefined : parser.parse(0)
  if (!parser.accept(':')) {
    parser.expect(']')
    if (!from) throw new Error('an index without a key')
    return { kind: 'member', at, target, key: from, isOptional }
  }
  const to = isSymbol(parser.peek(), ']') ? undefined : parser.parse(0)
  parser.expect(']')
  return { kind: 'slice', at, target, from, to }
}

function isSymbol(token: Token, text: string): boolean {
  return token.kind === 'symbol' && token.text === text
}
