import { compareText } from '../../text-order.js'
import { sliceCharacters } from '../../characters.js'
import { Fault } from '../../source-fault.js'
import { chargeItems } from '../budget.js'
import { areDeeplyEqual } from '../deep-equal.js'
import { formatValue } from '../format-value.js'
import { describe, isDict, isList, isTrue, type List, type Value } from '../values.js'
import {
  arg,
  type Call,
  fn,
  integerArg,
  listArg,
  place,
  type TemplateFunction,
  textArg,
} from './call.js'
import { toInteger } from './numbers.js'

const append = fn(2, (call) => made(call, [...listArg(call, 0), arg(call, 1)]))
const list = fn([0, Infinity], (call) => made(call, [...call.values]))

const BASE: Readonly<Record<string, TemplateFunction>> = {
  append,
  push: append,
  prepend: fn(2, (call) => made(call, [arg(call, 1), ...listArg(call, 0)])),
  first: fn(1, (call) => listArg(call, 0)[0] ?? null),
  last: fn(1, (call) => listArg(call, 0).at(-1) ?? null),
  rest: fn(1, (call) => made(call, listArg(call, 0).slice(1))),
  initial: fn(1, (call) => made(call, listArg(call, 0).slice(0, -1))),
  reverse: fn(1, (call) => made(call, listArg(call, 0).toReversed())),
  compact: fn(1, (call) => made(call, listArg(call, 0).filter(isTrue))),
  uniq: fn(1, (call) => {
    const kept: Value[] = []
    for (const item of listArg(call, 0)) if (!includes(call, kept, item)) kept.push(item)
    return kept
  }),
  without: fn([1, Infinity], (call) => {
    const omitted = call.values.slice(1)
    return made(
      call,
      listArg(call, 0).filter((item) => !includes(call, omitted, item)),
    )
  }),
  has: fn(2, (call) => includes(call, listArg(call, 1), arg(call, 0))),
  slice: fn([1, 4], slice),
  chunk: fn(2, chunk),
}

export const LISTS: Readonly<Record<string, TemplateFunction>> = {
  ...BASE,
  // what does not fit is a fault with both names
  ...Object.fromEntries(
    Object.entries(BASE).map(([name, each]) => [
      `must${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      each,
    ]),
  ),
  list,
  tuple: list,
  concat: fn([0, Infinity], (call) =>
    made(
      call,
      call.values.flatMap((_, index) => [...listArg(call, index)]),
    ),
  ),
  sortAlpha: fn(1, (call) => textsOf(call, 0).sort(compareText)),
  toStrings: fn(1, (call) => textsOf(call, 0)),
  len: fn(1, lengthOf),
  index: fn([1, Infinity], (call) =>
    call.values
      .slice(1)
      .reduce<Value>((from, key, at) => itemOf(from, key, place(call, at + 1)), arg(call, 0)),
  ),
}

function made(call: Call, items: List): List {
  chargeItems(call.budget, items.length, call.at)
  return items
}

function includes(call: Call, items: List, wanted: Value): boolean {
  return items.some((item) => areDeeplyEqual(item, wanted, call))
}

/** The items as texts, without nil; a single value is a list of one. */
export function textsOf(call: Call, index: number): string[] {
  const value = arg(call, index)
  const items = isList(value) ? value : [value]
  chargeItems(call.budget, items.length, call.at)
  return items.filter((item) => item !== null).map((item) => formatValue(item, call))
}

/** Of a list, or the characters of a text. */
function slice(call: Call): Value {
  const whole = arg(call, 0)
  const bounds = call.values.slice(1).map(toInteger)
  const [from = 0, to] = bounds
  const length = isList(whole) ? whole.length : textArg(call, 0).length
  if (from < 0 || (to ?? length) < from || (to ?? length) > length)
    throw new Fault(
      call.at,
      `the bounds ${bounds.join(' and ')} are beyond ${describe(whole)} of ${length}`,
    )
  return isList(whole)
    ? made(call, whole.slice(from, to))
    : sliceCharacters(textArg(call, 0), from, to)
}

function chunk(call: Call): Value {
  const [size, items] = [integerArg(call, 0), listArg(call, 1)]
  if (size <= 0) throw new Fault(place(call, 0), 'the size is to be above zero')
  const count = Math.ceil(items.length / size)
  chargeItems(call.budget, items.length + count, call.at)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}

/** Bytes of a text, as in Go; items of a list or map. */
function lengthOf(call: Call): Value {
  const value = arg(call, 0)
  if (isList(value)) return value.length
  if (isDict(value)) return value.size
  if (typeof value === 'string') return Buffer.byteLength(textArg(call, 0))
  if (value === null) return 0
  throw new Fault(place(call, 0), `${describe(value)} has no length`)
}

/** A missing key is nil; an index beyond the list is a fault. */
function itemOf(from: Value, key: Value, at: number): Value {
  if (from === null) return null
  if (isDict(from)) {
    if (typeof key !== 'string') throw new Fault(at, `a key is a text, this is ${describe(key)}`)
    return from.get(key) ?? null
  }
  if (!isList(from)) throw new Fault(at, `${describe(from)} has no items`)
  if (typeof key !== 'number' || !Number.isInteger(key))
    throw new Fault(at, `an index is a whole number, this is ${describe(key)}`)
  if (key < 0 || key >= from.length)
    throw new Fault(at, `the index ${key} is beyond a list of ${from.length}`)
  return from[key] ?? null
}
