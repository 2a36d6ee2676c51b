import { Fault } from '../source-fault.js'
import { LIMITS } from './limits.js'
import { parseArguments } from './parse-call.js'
import { parsePrimary } from './parse-primary.js'
import { describeToken, openTokens, type Parser } from './parser.js'
import type { BinaryOperator, Node } from './syntax.js'
import { tokenize } from './tokenize.js'

interface Binary {
  operator: BinaryOperator
  precedence: number
  isRightAssociative?: boolean
}

const BINARY: ReadonlyMap<string, Binary> = new Map<string, Binary>([
  ['or', { operator: 'or', precedence: 10 }],
  ['||', { operator: 'or', precedence: 10 }],
  ['and', { operator: 'and', precedence: 15 }],
  ['&&', { operator: 'and', precedence: 15 }],
  ...(['==', '!=', '<', '<=', '>', '>='] as const).map(comparison),
  ...(['in', 'matches', 'contains', 'startsWith', 'endsWith'] as const).map(comparison),
  ['..', { operator: '..', precedence: 25 }],
  ['+', { operator: '+', precedence: 30 }],
  ['-', { operator: '-', precedence: 30 }],
  ['*', { operator: '*', precedence: 60 }],
  ['/', { operator: '/', precedence: 60 }],
  ['%', { operator: '%', precedence: 60 }],
  ['**', { operator: '**', precedence: 100, isRightAssociative: true }],
  ['^', { operator: '**', precedence: 100, isRightAssociative: true }],
  ['??', { operator: '??', precedence: 500 }],
])
const NEGATABLE = new Set(['in', 'matches', 'contains', 'startsWith', 'endsWith'])
const ORDERINGS = new Set<string>(['<', '<=', '>', '>='])

function comparison(operator: BinaryOperator): [string, Binary] {
  return [operator, { operator, precedence: 20 }]
}

/** The tree of a source. Precedences are those of expr-lang. Throws a Fault. */
export function parse(source: string): Node {
  const parser = createParser(source)
  const node = parser.parse(0)
  parser.expect('end')
  return node
}

function createParser(source: string): Parser {
  let depth = 0
  const parser: Parser = {
    ...openTokens(tokenize(source)),
    predicateDepth: 0,
    parse(precedence) {
      const { at } = parser.peek()
      if (++depth > LIMITS.depth) throw new Fault(at, 'the expression is nested too deeply')
      const node = precedence === 0 ? parseWhole(parser) : parseOperators(parser, precedence)
      depth--
      return node
    },
  }
  return parser
}

function parseWhole(parser: Parser): Node {
  const { kind, text } = parser.peek()
  if (kind === 'keyword' && text === 'let') return parseLet(parser)
  return parseConditional(parser, parseOperators(parser, 0))
}

/** `let name = value; body`, as often as wished: read in a loop, built from the last. */
function parseLet(parser: Parser): Node {
  const lets: { at: number; name: string; value: Node }[] = []
  while (parser.accept('let')) {
    const { at, text } = parser.expectKind('name')
    parser.expect('=')
    const value = parser.parse(0)
    parser.expect(';')
    lets.push({ at, name: text, value })
  }
  return lets.reduceRight<Node>((body, each) => ({ kind: 'let', ...each, body }), parser.parse(0))
}

function parseOperators(parser: Parser, precedence: number): Node {
  let left = parsePrimary(parser)
  let last: BinaryOperator | undefined
  for (;;) {
    const token = parser.peek()
    if (token.text === '|' && token.kind === 'symbol' && precedence === 0) {
      parser.next()
      const name = parser.expectKind('name')
      left = parseArguments(parser, name, [left])
      last = undefined
      continue
    }
    const found = findOperator(parser, precedence)
    if (!found) return left
    if (last === '??' && found.operator !== '??')
      throw new Fault(
        token.at,
        `?? and ${token.text} cannot be mixed: put one of them in parentheses`,
      )
    left = parseRight(parser, left, found)
    last = found.operator
  }
}

interface FoundOperator extends Binary {
  at: number
  isNegated: boolean
}

/** Consumes the next operator when it binds at least this tightly. */
function findOperator(parser: Parser, precedence: number): FoundOperator | undefined {
  const token = parser.peek()
  if (token.kind !== 'symbol' && token.kind !== 'keyword') return undefined
  const isNegated = token.text === 'not'
  const operator = isNegated ? parser.peek(1) : token
  if (isNegated && !NEGATABLE.has(operator.text))
    throw new Fault(operator.at, `unexpected ${describeToken(operator)} after "not"`)
  const binary = BINARY.get(operator.text)
  if (!binary || binary.precedence < precedence) return undefined
  if (isNegated) parser.next()
  parser.next()
  return { ...binary, at: operator.at, isNegated }
}

function parseRight(parser: Parser, left: Node, found: FoundOperator): Node {
  const { operator, precedence, at } = found
  const right = parser.parse(found.isRightAssociative ? precedence : precedence + 1)
  const node: Node = { kind: 'binary', at, operator, left, right }
  if (found.isNegated) return { kind: 'unary', at, operator: 'not', operand: node }
  return ORDERINGS.has(operator) ? parseOrderings(parser, node, right) : node
}

/** `1 < x < 3` is `1 < x and x < 3`. */
function parseOrderings(parser: Parser, first: Node, middle: Node): Node {
  let node = first
  let left = middle
  while (ORDERINGS.has(parser.peek().text) && parser.peek().kind === 'symbol') {
    const { at, text } = parser.next()
    const right = parser.parse(21)
    const next: Node = { kind: 'binary', at, operator: text as BinaryOperator, left, right }
    node = { kind: 'binary', at, operator: 'and', left: node, right: next }
    left = right
  }
  return node
}

function parseConditional(parser: Parser, condition: Node): Node {
  const { at } = parser.peek()
  if (!parser.accept('?')) return condition
  if (parser.accept(':'))
    return { kind: 'conditional', at, condition, whenTrue: condition, whenFalse: parser.parse(0) }
  const whenTrue = parser.parse(0)
  parser.expect(':')
  return { kind: 'conditional', at, condition, whenTrue, whenFalse: parser.parse(0) }
}
