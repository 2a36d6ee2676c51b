import type { Parser } from './parser.js'
import { type Node, PREDICATE_FUNCTIONS, type Token } from './syntax.js'

/** `name(…)`; `given` are the arguments that a pipe put before those in the parentheses. */
export function parseArguments(parser: Parser, name: Token, given: Node[]): Node {
  parser.expect('(')
  const args = [...given]
  const predicateAt = PREDICATE_FUNCTIONS.has(name.text) ? 1 : -1
  for (let isFirst = true; !parser.accept(')'); isFirst = false) {
    if (!isFirst) {
      parser.expect(',')
      if (parser.accept(')')) break
    }
    args.push(args.length === predicateAt ? parsePredicate(parser) : parser.parse(0))
  }
  return { kind: 'call', at: name.at, name: name.text, args }
}

function parsePredicate(parser: Parser): Node {
  parser.predicateDepth++
  const isBraced = parser.accept('{')
  const node = parser.parse(0)
  if (isBraced) parser.expect('}')
  parser.predicateDepth--
  return node
}
