import { Fault } from '../source-fault.js'
import { checkCall } from './functions/check-call.js'
import { LIMITS } from './limits.js'
import { type ActionReader, isSymbol, unexpectedToken } from './open-action.js'
import type { Command, Operand, Pipe, Token } from './syntax.js'

/** The variables that can be seen; the place of a name is the slot of its value. */
export interface Names {
  variables: string[]
}

interface Context {
  action: ActionReader
  names: Names
  depth: number
}

/** `$x := command | command`, up to the end of the action or a closing parenthesis. */
export function parsePipe(
  action: ActionReader,
  names: Names,
  { isRange = false }: { isRange?: boolean } = {},
): Pipe {
  const context = { action, names, depth: 0 }
  const { at } = action.peek()
  const declaration = parseDeclaration(context, isRange)
  const commands = parseCommands(context)
  // only now: a declaration does not see itself
  const { isDeclared } = declaration
  const variables = declaration.tokens.map((token) =>
    isDeclared ? names.variables.push(token.text) - 1 : slotOf(names, token),
  )
  return { at, variables, isDeclared, commands }
}

interface Declaration {
  tokens: Token[]
  isDeclared: boolean
}

function parseDeclaration({ action }: Context, isRange: boolean): Declaration {
  const none = { tokens: [], isDeclared: false }
  const first = action.peek()
  if (first.kind !== 'variable') return none
  const second = action.peek(2)
  const isPair = isSymbol(action.peek(1), ',')
  if (isPair && !isRange) throw new Fault(action.peek(1).at, 'two variables are for range alone')
  if (isPair && second.kind !== 'variable')
    throw unexpectedToken(second, '; a variable is expected')
  const tokens = isPair ? [first, second] : [first]
  const sign = action.peek(isPair ? 3 : 1)
  if (!isSymbol(sign, ':=') && !isSymbol(sign, '=')) {
    if (isPair) throw unexpectedToken(sign, '; ":=" is expected')
    return none
  }
  for (let read = 0; read < (isPair ? 4 : 2); read++) action.next()
  return { tokens, isDeclared: sign.text === ':=' }
}

function slotOf({ variables }: Names, { text, at }: Token): number {
  const slot = variables.lastIndexOf(text)
  if (slot === -1) throw new Fault(at, `the variable ${text} is not defined`)
  return slot
}

function parseCommands(context: Context): Command[] {
  const { action } = context
  const commands: Command[] = []
  do {
    const { at } = action.peek()
    const command = parseCommand(context, commands.length > 0)
    if (commands.length > 0 && command.kind !== 'call')
      throw new Fault(at, 'only a function can follow "|"')
    commands.push(command)
  } while (action.accept('|'))
  return commands
}

function parseCommand(context: Context, isPiped: boolean): Command {
  const first = parseOperand(context)
  const args: Operand[] = []
  while (!endsCommand(context.action.peek())) {
    const token = context.action.peek()
    if (token.isGlued && !isSymbol(token, '(')) throw unexpectedToken(token, '; a space is missing')
    args.push(parseOperand(context))
  }
  if (first.kind === 'call') {
    checkCall({ name: first.name, at: first.at }, args.length + (isPiped ? 1 : 0))
    return { kind: 'call', at: first.at, name: first.name, args }
  }
  if (args.length > 0) throw new Fault(first.at, 'only a function takes arguments')
  if (first.kind === 'nil') throw new Fault(first.at, 'nil alone is not a command')
  return { kind: 'operand', operand: first }
}

function endsCommand(token: Token): boolean {
  return token.kind === 'end' || isSymbol(token, '|') || isSymbol(token, ')')
}

/** One operand with the fields that follow it without a space. */
function parseOperand(context: Context): Operand {
  const { action } = context
  let operand = parseTerm(context)
  for (let fields = 0; action.peek().kind === 'field' && action.peek().isGlued; fields++) {
    const { at, text } = action.next()
    if (fields >= LIMITS.depth) throw new Fault(at, 'the template is nested too deeply')
    if (operand.kind === 'literal' || operand.kind === 'nil' || operand.kind === 'call')
      throw new Fault(at, `unexpected ".${text}"`)
    operand = { kind: 'field', at, target: operand, name: text }
  }
  return operand
}

function parseTerm(context: Context): Operand {
  const token = context.action.next()
  const { at, text } = token
  switch (token.kind) {
    case 'dot':
      return { kind: 'dot', at }
    case 'field':
      return { kind: 'field', at, target: { kind: 'dot', at }, name: text }
    case 'variable':
      return { kind: 'variable', at, slot: slotOf(context.names, token) }
    case 'text':
      return { kind: 'literal', at, value: text }
    case 'number':
      return { kind: 'literal', at, value: token.number ?? 0 }
    case 'name':
      return parseName(token)
    case 'symbol':
      if (text === '(') return parseParentheses(context, at)
      throw unexpectedToken(token)
    case 'end':
      throw unexpectedToken(token)
  }
}

const KEYWORDS = new Set('if else end range with define template block break continue'.split(' '))

function parseName(token: Token): Operand {
  const { at, text } = token
  if (text === 'true' || text === 'false') return { kind: 'literal', at, value: text === 'true' }
  if (text === 'nil') return { kind: 'nil', at }
  if (KEYWORDS.has(text)) throw unexpectedToken(token)
  checkCall({ name: text, at }, undefined)
  return { kind: 'call', at, name: text }
}

function parseParentheses(context: Context, at: number): Operand {
  if (context.depth >= LIMITS.depth) throw new Fault(at, 'the template is nested too deeply')
  const commands = parseCommands({ ...context, depth: context.depth + 1 })
  if (!context.action.accept(')')) throw unexpectedToken(context.action.peek(), '; ")" is expected')
  return { kind: 'pipe', at, pipe: { at, variables: [], isDeclared: false, commands } }
}
