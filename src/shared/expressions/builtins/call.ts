import { Fault } from '../../source-fault.js'
import type { Frame } from '../frame.js'
import { asInteger, asNumber, asText, type ValueType } from '../value-type.js'
import { type Dict, isDict, isList, type List, typeName, type Value } from '../values.js'

/** A call of a builtin: its arguments and where each stands. */
export interface Call {
  readonly frame: Frame
  readonly at: number
  readonly places: readonly number[]
  readonly values: readonly Value[]
}

export interface Builtin {
  /** What each argument may be; the last one of a variadic function stands for all that follow. */
  params: readonly (readonly ValueType[])[]
  /** How many of the last arguments may be left out. */
  optional: number
  isVariadic: boolean
  result: ValueType
  run(call: Call): Value
}

/**
 * A builtin whose arguments are given as words: `string`, `list|string`, `number?` (may be left out),
 * `any...` (any number of them).
 */
export function builtin(params: string, result: ValueType, run: (call: Call) => Value): Builtin {
  const words = params.split(' ')
  return {
    params: words.map((word) => word.replace(/\?|\.\.\.$/, '').split('|') as ValueType[]),
    optional: words.filter((word) => word.endsWith('?')).length,
    isVariadic: words.some((word) => word.endsWith('...')),
    result,
    run,
  }
}

export function arg(call: Call, index: number): Value {
  return call.values[index] ?? null
}

export function hasArg(call: Call, index: number): boolean {
  return index < call.values.length
}

export function place(call: Call, index: number): number {
  return call.places[index] ?? call.at
}

export function textArg(call: Call, index: number): string {
  return asText(arg(call, index), place(call, index))
}

export function numberArg(call: Call, index: number): number {
  return asNumber(arg(call, index), place(call, index))
}

export function integerArg(call: Call, index: number): number {
  return asInteger(arg(call, index), place(call, index))
}

export function listArg(call: Call, index: number): List {
  const value = arg(call, index)
  if (isList(value)) return value
  throw wrongArg(call, index, 'list')
}

export function dictArg(call: Call, index: number): Dict {
  const value = arg(call, index)
  if (isDict(value)) return value
  throw wrongArg(call, index, 'map')
}

export function wrongArg(call: Call, index: number, wanted: string): Fault {
  const found = typeName(arg(call, index))
  return new Fault(
    place(call, index),
    `a ${wanted} is expected, this is ${found === 'nil' ? 'nil' : `a ${found}`}`,
  )
}
