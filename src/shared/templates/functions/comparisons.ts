import { compareText } from '../../text-order.js'
import { Fault } from '../../source-fault.js'
import { isDict, isList, isTrue, type Value } from '../values.js'
import { describe } from '../values.js'
import { arg, type Call, fn, place, type TemplateFunction } from './call.js'

/** Go's comparisons: of numbers with numbers, texts with texts, bools with bools. */
export const COMPARISONS: Readonly<Record<string, TemplateFunction>> = {
  eq: fn([2, Infinity], (call) =>
    call.values.slice(1).some((_, index) => areEqual(call, arg(call, 0), index + 1)),
  ),
  ne: fn(2, (call) => !areEqual(call, arg(call, 0), 1)),
  lt: fn(2, (call) => order(call) < 0),
  le: fn(2, (call) => order(call) <= 0),
  gt: fn(2, (call) => order(call) > 0),
  ge: fn(2, (call) => order(call) >= 0),
  not: fn(1, (call) => !isTrue(arg(call, 0))),
  // these two do not evaluate what is behind the argument that decides: see execute.ts
  and: fn([1, Infinity], (call) => call.values.find((value) => !isTrue(value)) ?? null),
  or: fn([1, Infinity], (call) => call.values.find(isTrue) ?? null),
}

/** nil equals nil alone. */
function areEqual(call: Call, first: Value, index: number): boolean {
  const other = arg(call, index)
  for (const [value, at] of [
    [first, place(call, 0)],
    [other, place(call, index)],
  ] as const)
    if (isList(value) || isDict(value)) throw new Fault(at, `${describe(value)} cannot be compared`)
  if (first === null || other === null) return first === other
  if (typeof first !== typeof other) throw incomparable(call, first, index)
  return first === other
}

function incomparable(call: Call, first: Value, index: number): Fault {
  return new Fault(
    place(call, index),
    `${describe(first)} and ${describe(arg(call, index))} cannot be compared`,
  )
}

function order(call: Call): number {
  const [a, b] = [arg(call, 0), arg(call, 1)]
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  throw incomparable(call, a, 1)
}
