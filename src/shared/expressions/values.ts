import { types } from 'node:util'
import { Fault } from '../source-fault.js'

export type List = readonly unknown[]
export type Dict = Readonly<Record<string, unknown>>
/** What an expression works on: plain data. Items and members are admitted when they are read. */
export type Value = null | boolean | number | string | List | Dict

/**
 * Lets plain data in and nothing else: no function, no class instance, no Proxy. Throws a Fault.
 */
export function admit(raw: unknown, at: number): Value {
  switch (typeof raw) {
    case 'string':
    case 'number':
    case 'boolean':
      return raw
    case 'undefined':
      return null
    case 'object':
      if (raw === null || isPlain(raw)) return raw as Value
      throw new Fault(at, 'the value is not plain data')
    default:
      throw new Fault(at, `the value is a ${typeof raw}, not plain data`)
  }
}

function isPlain(raw: object): boolean {
  if (types.isProxy(raw)) return false
  if (Array.isArray(raw)) return true
  const prototype: unknown = Object.getPrototypeOf(raw)
  return prototype === Object.prototype || prototype === null
}

export function isList(value: Value): value is List {
  return Array.isArray(value)
}

export function isDict(value: Value): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member by its own name; nil when it is missing. A getter is never run. */
export function readMember(from: Dict | List, key: string | number, at: number): Value {
  const property = Object.getOwnPropertyDescriptor(from, key)
  if (!property) return null
  if (!('value' in property)) throw new Fault(at, `${key} is not plain data`)
  return admit(property.value, at)
}

/** Like readMember, but the case of ASCII letters is ignored, as in the names of HTTP headers. */
export function readHeader(headers: Dict, name: string, at: number): Value {
  if (Object.hasOwn(headers, name)) return readMember(headers, name, at)
  const wanted = name.toLowerCase()
  const found = Object.keys(headers).find((key) => key.toLowerCase() === wanted)
  return found === undefined ? null : readMember(headers, found, at)
}

/** A new map; `__proto__` is a key like any other. */
export function dictOf(entries: Iterable<readonly [string, Value]>): Dict {
  return Object.fromEntries(entries)
}

export function typeName(value: Value): string {
  if (value === null) return 'nil'
  if (isList(value)) return 'list'
  return isDict(value)
    ? 'map'
    : { boolean: 'bool', number: 'number', string: 'string' }[typeof value as 'string']
}
