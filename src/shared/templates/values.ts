import { types } from 'node:util'
import { compareText } from '../text-order.js'
import { Fault } from '../source-fault.js'
import { LIMITS } from './limits.js'

/** What a template works on: a copy of the data, of which nothing of the host can be reached. */
export type Value = null | boolean | number | string | List | Dict
export type List = readonly Value[]
export type Dict = Map<string, Value>

/** Copies plain data. A function, class instance, getter or Proxy in it is a Fault. */
export function copyData(data: unknown): Value {
  let left = LIMITS.items
  const copy = (raw: unknown, depth: number): Value => {
    if (left-- <= 0) throw new Fault(0, `the data has more than ${LIMITS.items} values`)
    if (depth > LIMITS.dataDepth) throw new Fault(0, 'the data is nested too deeply')
    if (raw === undefined || raw === null) return null
    if (typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean') return raw
    if (typeof raw !== 'object') throw new Fault(0, `the data has a ${typeof raw} in it`)
    const next = (item: unknown): Value => copy(item, depth + 1)
    return copyObject(raw, next)
  }
  return copy(data, 0)
}

function copyObject(raw: object, copy: (item: unknown) => Value): Value {
  if (types.isProxy(raw)) throw new Fault(0, 'the data is not plain')
  if (Array.isArray(raw)) {
    if (raw.length > LIMITS.items) throw new Fault(0, `the data has a list of ${raw.length} items`)
    return Array.from({ length: raw.length }, (_, index) => copy(readOwn(raw, index)))
  }
  const prototype: unknown = Object.getPrototypeOf(raw)
  if (prototype !== Object.prototype && prototype !== null)
    throw new Fault(0, 'the data is not plain')
  return new Map(Object.keys(raw).map((key) => [key, copy(readOwn(raw, key))]))
}

/** A getter is never run. */
function readOwn(raw: object, key: string | number): unknown {
  const property = Object.getOwnPropertyDescriptor(raw, key)
  if (property && !('value' in property)) throw new Fault(0, 'the data is not plain')
  return property?.value
}

export function isList(value: Value): value is List {
  return Array.isArray(value)
}

export function isDict(value: Value): value is Dict {
  return value instanceof Map
}

/** False, 0, nil and whatever has nothing in it are not true. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0
  return isDict(value) ? value.size > 0 : Boolean(value)
}

export function sortedEntries(dict: Dict): [string, Value][] {
  return [...dict].sort(([a], [b]) => compareText(a, b))
}

/** The name that Go has for the type. */
export function goType(value: Value): string {
  if (value === null) return '<nil>'
  if (isList(value)) return '[]interface {}'
  if (isDict(value)) return 'map[string]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

/** For errors. */
export function describe(value: Value): string {
  if (value === null) return 'nil'
  if (isList(value)) return 'a list'
  if (isDict(value)) return 'a map'
  return { boolean: 'a bool', number: 'a number', string: 'a string' }[typeof value as 'string']
}
