import { Fault } from '../../source-fault.js'
import { chargeItems } from '../budget.js'
import { formatValue } from '../format-value.js'
import { describe, type Dict, isDict, sortedEntries, type Value } from '../values.js'
import {
  arg,
  type Call,
  dictArg,
  fn,
  lastArg,
  place,
  type TemplateFunction,
  textArg,
} from './call.js'

export const DICTS: Readonly<Record<string, TemplateFunction>> = {
  dict: fn([0, Infinity], dict),
  get: fn(2, (call) => dictArg(call, 0).get(textArg(call, 1)) ?? ''),
  set: fn(3, (call) => {
    const into = dictArg(call, 0)
    chargeItems(call.budget, into.size + 1, call.at)
    return into.set(textArg(call, 1), arg(call, 2))
  }),
  unset: fn(2, (call) => {
    const from = dictArg(call, 0)
    from.delete(textArg(call, 1))
    return from
  }),
  hasKey: fn(2, (call) => dictArg(call, 0).has(textArg(call, 1))),
  keys: fn([0, Infinity], (call) =>
    call.values.flatMap((_, index) => entries(call, index).map(([key]) => key)),
  ),
  values: fn(1, (call) => entries(call, 0).map(([, value]) => value)),
  pick: fn([1, Infinity], (call) => kept(call, (key, keys) => keys.has(key))),
  omit: fn([1, Infinity], (call) => kept(call, (key, keys) => !keys.has(key))),
  pluck: fn([1, Infinity], (call) => {
    const key = textArg(call, 0)
    const dicts = call.values.slice(1).map((_, index) => dictArg(call, index + 1))
    return dicts.filter((each) => each.has(key)).map((each) => each.get(key) ?? null)
  }),
  dig: fn([3, Infinity], dig),
}

/** Keys and values in turn; a key without a value has the empty text. */
function dict(call: Call): Dict {
  const made: Dict = new Map()
  chargeItems(call.budget, call.values.length, call.at)
  for (let index = 0; index < call.values.length; index += 2)
    made.set(
      formatValue(arg(call, index), call),
      index + 1 < call.values.length ? arg(call, index + 1) : '',
    )
  return made
}

/** In the order of their keys, which Go leaves open. */
function entries(call: Call, index: number): [string, Value][] {
  const from = dictArg(call, index)
  chargeItems(call.budget, from.size, call.at)
  return sortedEntries(from)
}

function kept(call: Call, isKept: (key: string, keys: ReadonlySet<string>) => boolean): Dict {
  const keys = new Set(call.values.slice(1).map((_, index) => textArg(call, index + 1)))
  return new Map(entries(call, 0).filter(([key]) => isKept(key, keys)))
}

/** `dig "a" "b" default map`: what is at a, b, or the default. */
function dig(call: Call): Value {
  const keys = call.values.slice(0, -2).map((_, index) => textArg(call, index))
  const byDefault = call.values.at(-2) ?? null
  let found = lastArg(call)
  for (const [index, key] of keys.entries()) {
    if (!isDict(found))
      throw new Fault(place(call, index), `${describe(found)} has no key ${JSON.stringify(key)}`)
    if (!found.has(key)) return byDefault
    found = found.get(key) ?? null
  }
  return found
}
