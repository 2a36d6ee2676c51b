import { Fault } from '../source-fault.js'
import { LIMITS } from './limits.js'
import { type ActionReader, openAction } from './open-action.js'
import { parsePipe, type Names } from './parse-pipe.js'
import { splitPieces } from './split-pieces.js'
import type { Definitions, Item, Piece } from './syntax.js'

interface Parser {
  pieces: readonly Piece[]
  at: number
  depth: number
  /** Loops around the current place: break and continue need one. */
  loops: number
  names: Names
  definitions: Definitions
  /** `template "name"` of each name that must be defined in the end. */
  wanted: { name: string; at: number }[]
}

/** A list of items and what ended it. */
interface Body {
  items: Item[]
  end: 'end' | 'else' | 'source'
  /** The action that ended it, behind its first word. */
  action: ActionReader | undefined
}

/** The bodies of a template and of those that it defines. Throws a Fault. */
export function parse(source: string): Definitions {
  const parser: Parser = {
    pieces: splitPieces(source),
    at: 0,
    depth: 0,
    loops: 0,
    names: { variables: ['$'] },
    definitions: new Map(),
    wanted: [],
  }
  const body = parseBody(parser)
  if (body.end !== 'source') throw unexpected(body)
  parser.definitions.set('', body.items)
  for (const { name, at } of parser.wanted)
    if (!parser.definitions.has(name))
      throw new Fault(at, `the template ${JSON.stringify(name)} is not defined`)
  return parser.definitions
}

function unexpected({ end, action }: Body): Fault {
  return new Fault(action?.at ?? 0, `unexpected {{${end}}}`)
}

/** Reads items up to an `end`, an `else` or the end of the source; variables stay its own. */
function parseBody(parser: Parser): Body {
  const items: Item[] = []
  const { length } = parser.names.variables
  for (;;) {
    const piece = parser.pieces[parser.at++]
    if (!piece) return { items, end: 'source', action: undefined }
    if (piece.kind === 'text') {
      items.push(piece)
      continue
    }
    const action = openAction(piece)
    const word = action.peek().kind === 'name' ? action.peek().text : ''
    if (word === 'end' || word === 'else') {
      action.next()
      parser.names.variables.length = length
      return { items, end: word, action }
    }
    const item = parseAction(parser, action, word)
    if (item) items.push(item)
  }
}

function parseAction(parser: Parser, action: ActionReader, word: string): Item | undefined {
  const { at } = action
  switch (word) {
    case 'if':
    case 'with':
    case 'range':
      action.next()
      return parseBranch(parser, action, word)
    case 'define':
      action.next()
      return parseDefine(parser, action)
    case 'block':
      action.next()
      return parseBlock(parser, action)
    case 'template': {
      action.next()
      const name = action.expectText()
      const pipe = action.isAtEnd() ? undefined : parsePipe(action, parser.names)
      action.expectEnd()
      parser.wanted.push({ name, at })
      return { kind: 'template', at, name, pipe }
    }
    case 'break':
    case 'continue':
      action.next()
      action.expectEnd()
      if (parser.loops === 0) throw new Fault(at, `{{${word}}} is not within {{range}}`)
      return { kind: word }
    default: {
      const pipe = parsePipe(action, parser.names)
      action.expectEnd()
      return { kind: 'action', at, pipe }
    }
  }
}

function parseBranch(parser: Parser, action: ActionReader, kind: 'if' | 'with' | 'range'): Item {
  const { at } = action
  if (++parser.depth > LIMITS.depth) throw new Fault(at, 'the template is nested too deeply')
  const { length } = parser.names.variables
  if (action.isAtEnd()) throw new Fault(at, `a value is missing for ${kind}`)
  const pipe = parsePipe(action, parser.names, { isRange: kind === 'range' })
  action.expectEnd()
  if (kind === 'range') parser.loops++
  const body = parseBody(parser)
  if (kind === 'range') parser.loops--
  const otherwise = parseElse(parser, { kind, at, body })
  parser.names.variables.length = length
  parser.depth--
  return { kind, at, pipe, body: body.items, otherwise }
}

interface Branch {
  kind: 'if' | 'with' | 'range'
  at: number
  body: Body
}

/** `{{else}}`, `{{else if …}}` and `{{else with …}}`, up to the `{{end}}` of all of them. */
function parseElse(parser: Parser, { kind, at, body }: Branch): Item[] {
  if (body.end === 'source' || !body.action) throw new Fault(at, `{{${kind}}} has no {{end}}`)
  if (body.end === 'end') {
    body.action.expectEnd()
    return []
  }
  const next = body.action.peek()
  if (next.kind === 'name' && next.text === kind && kind !== 'range') {
    body.action.next()
    return [parseBranch(parser, body.action, kind)]
  }
  body.action.expectEnd()
  const otherwise = parseBody(parser)
  if (otherwise.end === 'source' || !otherwise.action)
    throw new Fault(at, `{{${kind}}} has no {{end}}`)
  if (otherwise.end === 'else') throw unexpected(otherwise)
  otherwise.action.expectEnd()
  return otherwise.items
}

function parseDefine(parser: Parser, action: ActionReader): undefined {
  if (parser.depth > 0) throw new Fault(action.at, '{{define}} is not within another block')
  const name = action.expectText()
  action.expectEnd()
  defineBody(parser, action, name)
}

/** `{{block "name" value}}…{{end}}` defines a template and renders it. */
function parseBlock(parser: Parser, action: ActionReader): Item {
  const name = action.expectText()
  if (action.isAtEnd()) throw new Fault(action.at, 'a value is missing for block')
  const pipe = parsePipe(action, parser.names)
  action.expectEnd()
  defineBody(parser, action, name)
  return { kind: 'template', at: action.at, name, pipe }
}

/** The body sees no variables and no loops of what is around it. */
function defineBody(parser: Parser, { at }: ActionReader, name: string): void {
  if (name === '') throw new Fault(at, 'the name of a template is empty')
  if (parser.definitions.has(name))
    throw new Fault(at, `the template ${JSON.stringify(name)} is defined twice`)
  if (++parser.depth > LIMITS.depth) throw new Fault(at, 'the template is nested too deeply')
  const { names, loops } = parser
  parser.names = { variables: ['$'] }
  parser.loops = 0
  const body = parseBody(parser)
  if (body.end === 'source' || !body.action)
    throw new Fault(at, `the template ${JSON.stringify(name)} has no {{end}}`)
  if (body.end === 'else') throw unexpected(body)
  body.action.expectEnd()
  parser.definitions.set(name, body.items)
  parser.names = names
  parser.loops = loops
  parser.depth--
}
