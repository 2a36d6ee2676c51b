import { Fault } from '../../source-fault.js'
import { chargeItems } from '../budget.js'
import { formatValue } from '../format-value.js'
import type { Value } from '../values.js'
import { arg, type Call, fn, integerArg, place, type TemplateFunction, textArg } from './call.js'

const max = fn([1, Infinity], ({ values }) => Math.max(...values.map(toInteger)))
const SOME: [number, number] = [1, Infinity]

export const NUMBERS: Readonly<Record<string, TemplateFunction>> = {
  add: fn([0, Infinity], (call) =>
    whole(
      call,
      call.values.reduce<number>((sum, value) => sum + toInteger(value), 0),
    ),
  ),
  add1: fn(1, (call) => whole(call, toInteger(arg(call, 0)) + 1)),
  sub: fn(2, (call) => whole(call, toInteger(arg(call, 0)) - toInteger(arg(call, 1)))),
  mul: fn(SOME, (call) =>
    whole(
      call,
      call.values.reduce<number>((product, value) => product * toInteger(value), 1),
    ),
  ),
  div: fn(2, (call) => Math.trunc(toInteger(arg(call, 0)) / divisor(call)) + 0),
  mod: fn(2, (call) => (toInteger(arg(call, 0)) % divisor(call)) + 0),
  max,
  biggest: max,
  min: fn(SOME, ({ values }) => Math.min(...values.map(toInteger))),
  maxf: fn(SOME, ({ values }) => Math.max(...values.map(toFloat))),
  minf: fn(SOME, ({ values }) => Math.min(...values.map(toFloat))),
  ceil: fn(1, (call) => Math.ceil(toFloat(arg(call, 0))) + 0),
  floor: fn(1, (call) => Math.floor(toFloat(arg(call, 0)))),
  round: fn([2, 3], round),
  int: fn(1, (call) => toInteger(arg(call, 0))),
  int64: fn(1, (call) => toInteger(arg(call, 0))),
  float64: fn(1, (call) => toFloat(arg(call, 0))),
  atoi: fn(1, (call) => toInteger(textArg(call, 0))),
  toDecimal: fn(1, (call) => {
    const digits = formatValue(arg(call, 0), call)
    return /^[+-]?[0-7]+$/.test(digits) ? whole(call, parseInt(digits, 8)) : 0
  }),
  until: fn(1, (call) => {
    const count = integerArg(call, 0)
    return steps(call, { start: 0, stop: count, step: count < 0 ? -1 : 1 })
  }),
  untilStep: fn(3, (call) => {
    const [start, stop, step] = [integerArg(call, 0), integerArg(call, 1), integerArg(call, 2)]
    return steps(call, { start, stop, step })
  }),
  seq: fn([0, Infinity], (call) => seq(call).join(' ')),
}

/** As Sprig converts: texts are read as decimals, what is no number is 0, a fraction is cut off. */
export function toInteger(value: Value): number {
  if (typeof value === 'string') return /^[+-]?\d+$/.test(value) ? safe(Number(value)) : 0
  return safe(Math.trunc(toFloat(value)))
}

function safe(value: number): number {
  return Number.isSafeInteger(value) ? value + 0 : 0
}

function toFloat(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  const isNumber =
    typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value)
  return isNumber ? Number(value) : 0
}

function whole({ at }: Call, value: number): number {
  if (Number.isSafeInteger(value)) return value
  throw new Fault(at, 'the number is too large to be exact')
}

function divisor(call: Call): number {
  const value = toInteger(arg(call, 1))
  if (value === 0) throw new Fault(place(call, 1), 'division by zero')
  return value
}

/** To this many digits; the third argument is the fraction from which it goes up. */
function round(call: Call): Value {
  const power = 10 ** integerArg(call, 1)
  const from = call.values.length > 2 ? toFloat(arg(call, 2)) : 0.5
  const digits = power * toFloat(arg(call, 0))
  const rounded = digits - Math.trunc(digits) >= from ? Math.ceil(digits) : Math.floor(digits)
  return rounded / power + 0
}

interface Steps {
  start: number
  stop: number
  step: number
}

function steps({ budget, at }: Call, { start, stop, step }: Steps): number[] {
  const count = step === 0 ? 0 : Math.max(0, Math.ceil((stop - start) / step))
  chargeItems(budget, count, at)
  return Array.from({ length: count }, (_, index) => start + index * step)
}

/** `seq end`, `seq start end`, `seq start step end`; the end is included. */
function seq(call: Call): number[] {
  const numbers = call.values.map((_, index) => integerArg(call, index))
  if (numbers.length === 0 || numbers.length > 3) return []
  const start = numbers.length === 1 ? 1 : (numbers[0] ?? 0)
  const end = numbers.at(-1) ?? 0
  const direction = end < start ? -1 : 1
  const step = numbers.length === 3 ? (numbers[1] ?? 0) : direction
  return steps(call, { start, stop: end + direction, step })
}
