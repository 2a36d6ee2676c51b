import { Fault } from '../../source-fault.js'
import { charge } from '../frame.js'
import { asNumber } from '../value-type.js'
import { isList, readMember, type Value } from '../values.js'
import { arg, type Builtin, builtin, type Call, listArg, numberArg, place } from './call.js'

export const NUMBERS: Readonly<Record<string, Builtin>> = {
  abs: builtin('number', 'number', (call) => Math.abs(numberArg(call, 0))),
  ceil: builtin('number', 'number', (call) => Math.ceil(numberArg(call, 0)) + 0),
  floor: builtin('number', 'number', (call) => Math.floor(numberArg(call, 0))),
  round: builtin('number', 'number', (call) => roundHalfUp(numberArg(call, 0))),
  min: builtin('number|list...', 'any', (call) => extreme(call, (a, b) => a < b)),
  max: builtin('number|list...', 'any', (call) => extreme(call, (a, b) => a > b)),
  sum: builtin('list', 'number', (call) =>
    numbersOf(call, listArg(call, 0), 0).reduce((sum, item) => sum + item, 0),
  ),
  mean: builtin('number|list...', 'number', (call) => {
    const numbers = allNumbers(call)
    return numbers.length === 0 ? 0 : numbers.reduce((sum, item) => sum + item, 0) / numbers.length
  }),
  median: builtin('number|list...', 'number', median),
}

/** Halves go away from zero. */
function roundHalfUp(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value)) + 0
}

/** nil when there is no number at all. */
function extreme(call: Call, isBetter: (a: number, b: number) => boolean): Value {
  return allNumbers(call).reduce<number | null>(
    (best, item) => (best === null || isBetter(item, best) ? item : best),
    null,
  )
}

function median(call: Call): Value {
  const sorted = allNumbers(call).toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

/** The numbers among the arguments and in the lists among them. */
function allNumbers(call: Call): number[] {
  if (call.values.length === 0) throw new Fault(call.at, 'a number or a list is expected')
  return call.values.flatMap((_, index) => {
    const value = arg(call, index)
    return isList(value) ? numbersOf(call, value, index) : [numberArg(call, index)]
  })
}

function numbersOf(call: Call, list: readonly unknown[], index: number): number[] {
  charge(call.frame, list.length, call.at)
  return Array.from({ length: list.length }, (_, at) => {
    return asNumber(readMember(list, at, place(call, index)), place(call, index))
  })
}
