import { Fault } from '../../source-fault.js'
import { areDeeplyEqual } from '../deep-equal.js'
import { goType, isDict, isList, isTrue, type Value } from '../values.js'
import { arg, fn, place, type TemplateFunction, textArg } from './call.js'

export const LOGIC: Readonly<Record<string, TemplateFunction>> = {
  default: fn([1, 2], ({ values: [byDefault = null, given = null] }) =>
    isTrue(given) ? given : byDefault,
  ),
  empty: fn(1, (call) => !isTrue(arg(call, 0))),
  coalesce: fn([0, Infinity], ({ values }) => values.find(isTrue) ?? null),
  all: fn([0, Infinity], ({ values }) => values.every(isTrue)),
  any: fn([0, Infinity], ({ values }) => values.some(isTrue)),
  ternary: fn(3, (call) => {
    const condition = arg(call, 2)
    if (typeof condition !== 'boolean') throw new Fault(place(call, 2), 'a bool is expected')
    return arg(call, condition ? 0 : 1)
  }),
  fail: fn(1, (call) => {
    throw new Fault(call.at, textArg(call, 0))
  }),
  deepEqual: fn(2, (call) => areDeeplyEqual(arg(call, 0), arg(call, 1), call)),
  typeOf: fn(1, (call) => goType(arg(call, 0))),
  typeIs: fn(2, (call) => textArg(call, 0) === goType(arg(call, 1))),
  typeIsLike: fn(2, (call) =>
    [goType(arg(call, 1)), `*${goType(arg(call, 1))}`].includes(textArg(call, 0)),
  ),
  kindOf: fn(1, (call) => goKind(arg(call, 0))),
  kindIs: fn(2, (call) => textArg(call, 0) === goKind(arg(call, 1))),
}

function goKind(value: Value): string {
  if (value === null) return 'invalid'
  if (isList(value)) return 'slice'
  return isDict(value) ? 'map' : goType(value)
}
