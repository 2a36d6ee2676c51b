import { Fault } from '../source-fault.js'
import { type Budget, charge, chargeItems } from './budget.js'
import { formatValue } from './format-value.js'
import { FUNCTIONS } from './functions/table.js'
import { LIMITS } from './limits.js'
import type { Command, Definitions, Item, Operand, Pipe } from './syntax.js'
import { describe, isDict, isList, isTrue, sortedEntries, type Value } from './values.js'

export interface Rendering {
  definitions: Definitions
  budget: Budget
  root: Value
  options: RenderOptions
  parts: string[]
  chars: number
  depth: number
}

export interface RenderOptions {
  /** What a key that is missing, and any other nil, is rendered as. */
  missing: 'empty' | 'no value'
  /** A field that the data itself does not have is a fault. */
  isFixed: boolean
}

/** One body: its dot and its variables by slot; slot 0 is `$`. */
interface Place {
  rendering: Rendering
  dot: Value
  variables: Value[]
}

type Jump = 'break' | 'continue' | undefined

/** Renders a body into the parts of the rendering. Throws a Fault. */
export function execute(rendering: Rendering, name: string, dot: Value): void {
  const items = rendering.definitions.get(name)
  if (!items) throw new Error(`no template ${name}`)
  walk({ rendering, dot, variables: [dot] }, items)
}

function walk(place: Place, items: readonly Item[]): Jump {
  for (const item of items) {
    const jump = step(place, item)
    if (jump) return jump
  }
  return undefined
}

function step(place: Place, item: Item): Jump {
  switch (item.kind) {
    case 'text':
      write(place, item.text, 0)
      return undefined
    case 'action':
      return runAction(place, item.pipe, item.at)
    case 'if': {
      const value = evaluatePipe(place, item.pipe)
      return walk(place, isTrue(value) ? item.body : item.otherwise)
    }
    case 'with': {
      const value = evaluatePipe(place, item.pipe)
      return isTrue(value) ? walk({ ...place, dot: value }, item.body) : walk(place, item.otherwise)
    }
    case 'range':
      return runRange(place, item)
    case 'template':
      return callTemplate(place, item)
    case 'break':
    case 'continue':
      return item.kind
  }
}

function write({ rendering }: Place, text: string, at: number): void {
  charge(rendering.budget, 1 + Math.ceil(text.length / 64), at)
  rendering.chars += text.length
  if (rendering.chars > LIMITS.textChars)
    throw new Fault(at, `more than ${LIMITS.textChars} characters are rendered`)
  rendering.parts.push(text)
}

function runAction(place: Place, pipe: Pipe, at: number): undefined {
  const value = evaluatePipe(place, pipe)
  if (pipe.variables.length > 0) return
  const { budget, options } = place.rendering
  const missing = options.missing === 'empty' ? '' : '<no value>'
  write(place, value === null ? missing : formatValue(value, { budget, at }), at)
}

function evaluatePipe(place: Place, pipe: Pipe): Value {
  const value = runCommands(place, pipe)
  for (const slot of pipe.variables) place.variables[slot] = value
  return value
}

function runCommands(place: Place, { commands }: Pipe): Value {
  let value: Value = null
  for (const [index, command] of commands.entries())
    value = runCommand(place, command, index === 0 ? [] : [value])
  return value
}

function runCommand(place: Place, command: Command, piped: readonly Value[]): Value {
  if (command.kind === 'operand') return evaluate(place, command.operand)
  const { name, args, at } = command
  charge(place.rendering.budget, 1 + args.length, at)
  if (name === 'and' || name === 'or') return shortCut(place, command, piped)
  const found = FUNCTIONS.get(name)
  if (!found) throw new Error(`no function ${name}`)
  const values = [...args.map((arg) => evaluate(place, arg)), ...piped]
  const places = args.map((arg) => arg.at)
  return found.run({ budget: place.rendering.budget, at, values, places })
}

/** The first argument that decides; those behind it are not evaluated. */
function shortCut(
  place: Place,
  { name, args }: Extract<Command, { kind: 'call' }>,
  piped: readonly Value[],
): Value {
  let value: Value = null
  for (const arg of args) {
    value = evaluate(place, arg)
    if (isTrue(value) === (name === 'or')) return value
  }
  return piped[0] ?? (piped.length > 0 ? null : value)
}

function evaluate(place: Place, operand: Operand): Value {
  charge(place.rendering.budget, 1, operand.at)
  switch (operand.kind) {
    case 'dot':
      return place.dot
    case 'nil':
      return null
    case 'literal':
      return operand.value
    case 'variable':
      return place.variables[operand.slot] ?? null
    case 'pipe':
      return runCommands(place, operand.pipe)
    case 'call':
      return runCommand(place, { ...operand, args: [] }, [])
    case 'field':
      return readField(place, evaluate(place, operand.target), operand)
  }
}

function readField(
  { rendering }: Place,
  target: Value,
  { name, at }: Extract<Operand, { kind: 'field' }>,
): Value {
  const { missing, isFixed } = rendering.options
  if (target === null && missing === 'empty') return null
  if (!isDict(target))
    throw new Fault(at, `${describe(target)} has no field ${JSON.stringify(name)}`)
  const value = target.get(name)
  if (value === undefined && isFixed && target === rendering.root)
    throw new Fault(at, `there is no field ${JSON.stringify(name)}`)
  return value ?? null
}

function runRange(place: Place, item: Extract<Item, { kind: 'range' }>): Jump {
  const { pipe, body, otherwise, at } = item
  const value = runCommands(place, pipe)
  chargeItems(place.rendering.budget, countOf(value), pipe.at)
  const entries = entriesOf(value, pipe.at)
  if (entries.length === 0) return walk(place, otherwise)
  for (const [key, value] of entries) {
    charge(place.rendering.budget, 1, at)
    setLoopVariables(place, pipe.variables, [key, value])
    if (walk({ ...place, dot: value }, body) === 'break') break
  }
  return undefined
}

/** One variable is the item, two are its index or key and the item. */
function setLoopVariables(place: Place, slots: readonly number[], entry: readonly Value[]): void {
  const values = slots.length === 1 ? entry.slice(1) : entry
  for (const [index, slot] of slots.entries()) place.variables[slot] = values[index] ?? null
}

function countOf(value: Value): number {
  if (isList(value)) return value.length
  if (isDict(value)) return value.size
  return typeof value === 'number' ? Math.max(0, value) : 0
}

function entriesOf(value: Value, at: number): (readonly [Value, Value])[] {
  if (value === null) return []
  if (isList(value)) return value.map((item, index) => [index, item] as const)
  if (isDict(value)) return sortedEntries(value)
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new Fault(at, `range cannot go over ${describe(value)}`)
  return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index] as const)
}

function callTemplate(place: Place, item: Extract<Item, { kind: 'template' }>): undefined {
  const { rendering } = place
  const dot = item.pipe ? evaluatePipe(place, item.pipe) : null
  if (++rendering.depth > LIMITS.depth)
    throw new Fault(item.at, 'templates call one another too deeply')
  execute(rendering, item.name, dot)
  rendering.depth--
}
