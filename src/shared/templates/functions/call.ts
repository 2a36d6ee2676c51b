import { Fault } from '../../source-fault.js'
import { type Budget, chargeText } from '../budget.js'
import { describe, type Dict, isDict, isList, type List, type Value } from '../values.js'

/** A call of a function: its arguments, a piped one last, and where each stands. */
export interface Call {
  readonly budget: Budget
  readonly at: number
  readonly values: readonly Value[]
  readonly places: readonly number[]
}

export interface TemplateFunction {
  least: number
  /** Infinity when it takes any number of arguments. */
  most: number
  run(call: Call): Value
}

/** A function of this many arguments: `fn(2, …)`, `fn([1, Infinity], …)`. */
export function fn(count: number | [number, number], run: (call: Call) => Value): TemplateFunction {
  const [least, most] = typeof count === 'number' ? [count, count] : count
  return { least, most, run }
}

export function arg(call: Call, index: number): Value {
  return call.values[index] ?? null
}

export function lastArg(call: Call): Value {
  return call.values.at(-1) ?? null
}

export function place(call: Call, index: number): number {
  return call.places[index] ?? call.at
}

function wrong(call: Call, index: number, wanted: string): Fault {
  return new Fault(
    place(call, index),
    `a ${wanted} is expected, this is ${describe(arg(call, index))}`,
  )
}

/** A text; nil is the empty one. */
export function textArg(call: Call, index: number): string {
  const value = arg(call, index)
  if (value === null) return ''
  if (typeof value !== 'string') throw wrong(call, index, 'text')
  chargeText(call.budget, value.length, place(call, index))
  return value
}

/** A list; nil is the empty one. */
export function listArg(call: Call, index: number): List {
  const value = arg(call, index)
  if (value === null) return []
  if (!isList(value)) throw wrong(call, index, 'list')
  return value
}

export function dictArg(call: Call, index: number): Dict {
  const value = arg(call, index)
  if (!isDict(value)) throw wrong(call, index, 'map')
  return value
}

/** A whole number as Go's own functions want it: nothing is converted. */
export function integerArg(call: Call, index: number): number {
  const value = arg(call, index)
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw wrong(call, index, 'whole number')
  return value
}
