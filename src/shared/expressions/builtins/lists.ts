import { countCharacters } from '../../characters.js'
import { areEqual, compareValues } from '../compare.js'
import { Fault } from '../../source-fault.js'
import { charge, chargeNewItems, chargeText } from '../frame.js'
import { LIMITS } from '../limits.js'
import { sortOrder } from '../sort-order.js'
import { isDict, isList, type List, readMember, type Value } from '../values.js'
import {
  arg,
  type Builtin,
  builtin,
  type Call,
  hasArg,
  integerArg,
  listArg,
  place,
  wrongArg,
} from './call.js'

export const LISTS: Readonly<Record<string, Builtin>> = {
  len: builtin('string|list|map', 'number', lengthOf),
  first: builtin('list', 'any', (call) => at(call, 0)),
  last: builtin('list', 'any', (call) => at(call, listArg(call, 0).length - 1)),
  take: builtin('list number', 'list', take),
  sort: builtin('list string?', 'list', sort),
  reverse: builtin('list', 'list', (call) => items(call, 0).toReversed()),
  uniq: builtin('list', 'list', uniq),
  concat: builtin('list...', 'list', concat),
  flatten: builtin('list', 'list', flatten),
}

/** Characters of a text, items of a list, keys of a map. */
function lengthOf(call: Call): Value {
  const value = arg(call, 0)
  if (isList(value)) return value.length
  if (isDict(value)) return Object.keys(value).length
  if (typeof value !== 'string') throw wrongArg(call, 0, 'string, list or map')
  chargeText(call.frame, value.length, call.at)
  return countCharacters(value)
}

function at(call: Call, index: number): Value {
  return readMember(listArg(call, 0), index, place(call, 0))
}

/** A copy of a list that is an argument. */
function items(call: Call, index: number): Value[] {
  const list = listArg(call, index)
  chargeNewItems(call.frame, list.length, call.at)
  return Array.from({ length: list.length }, (_, n) => readMember(list, n, place(call, index)))
}

function take(call: Call): Value {
  const count = integerArg(call, 1)
  if (count < 0) throw new Fault(place(call, 1), 'the count is below zero')
  return items(call, 0).slice(0, count)
}

function sort(call: Call): Value {
  const order = sortOrder(hasArg(call, 1) ? arg(call, 1) : undefined, place(call, 1))
  const sorted = items(call, 0)
  charge(call.frame, sorted.length * Math.ceil(Math.log2(sorted.length + 1)), call.at)
  return sorted.sort((a, b) => order * compareValues(call.frame, a, b, place(call, 0)))
}

/** The first of equal items stays. Scalars are looked up; only lists and maps are compared. */
function uniq(call: Call): Value {
  const seen = new Set<Value>()
  const compound: Value[] = []
  return items(call, 0).filter((item) => {
    if (typeof item !== 'object' || item === null) return !seen.has(item) && seen.add(item)
    const isKnown = compound.some((other) => {
      charge(call.frame, 1, call.at)
      return areEqual(call.frame, other, item, call.at)
    })
    if (!isKnown) compound.push(item)
    return !isKnown
  })
}

function concat(call: Call): Value {
  if (call.values.length === 0) throw new Fault(call.at, 'a list is expected')
  const lists = call.values.map((_, index) => items(call, index))
  const all = lists.flat()
  chargeNewItems(call.frame, all.length, call.at)
  return all
}

/** Lists within the list, however deep, give way to their items. */
function flatten(call: Call): Value {
  const flat: Value[] = []
  const add = (list: List, depth: number): void => {
    if (depth > LIMITS.dataDepth) throw new Fault(call.at, 'the list is nested too deeply')
    for (let index = 0; index < list.length; index++) {
      charge(call.frame, 1, call.at)
      const item = readMember(list, index, place(call, 0))
      if (isList(item)) add(item, depth + 1)
      else flat.push(item)
    }
  }
  add(listArg(call, 0), 0)
  chargeNewItems(call.frame, flat.length, call.at)
  return flat
}
