import { compareText } from '../../text-order.js'
import { Fault } from '../../source-fault.js'
import { chargeNewItems } from '../frame.js'
import { asInteger, asText } from '../value-type.js'
import { dictOf, isDict, isList, readMember, type Value } from '../values.js'
import { arg, type Builtin, builtin, type Call, dictArg, listArg, place } from './call.js'

export const MAPS: Readonly<Record<string, Builtin>> = {
  keys: builtin('map', 'list', (call) => sortedKeys(call)),
  values: builtin('map', 'list', (call) => sortedKeys(call).map((key) => member(call, key))),
  get: builtin('any any', 'any', get),
  toPairs: builtin('map', 'list', (call) =>
    sortedKeys(call).map((key) => [key, member(call, key)]),
  ),
  fromPairs: builtin('list', 'map', fromPairs),
}

/** expr-lang gives them in any order; a fixed one gives the same answer each time. */
function sortedKeys(call: Call): string[] {
  const keys = Object.keys(dictArg(call, 0))
  chargeNewItems(call.frame, keys.length, call.at)
  return keys.sort(compareText)
}

function member(call: Call, key: string): Value {
  return readMember(dictArg(call, 0), key, place(call, 0))
}

/** A member or item, nil where there is none. */
function get(call: Call): Value {
  const [from, key] = [arg(call, 0), arg(call, 1)]
  if (isDict(from)) return typeof key === 'string' ? readMember(from, key, place(call, 0)) : null
  if (!isList(from) || typeof key !== 'number') return null
  const index = asInteger(key, place(call, 1))
  const found = index < 0 ? from.length + index : index
  return found >= 0 && found < from.length ? readMember(from, found, place(call, 0)) : null
}

function fromPairs(call: Call): Value {
  const list = listArg(call, 0)
  const at = place(call, 0)
  chargeNewItems(call.frame, list.length, call.at)
  return dictOf(
    Array.from({ length: list.length }, (_, index): [string, Value] => {
      const pair = readMember(list, index, at)
      if (!isList(pair) || pair.length !== 2) throw new Fault(at, 'each item is to be a pair')
      return [asText(readMember(pair, 0, at), at), readMember(pair, 1, at)]
    }),
  )
}
