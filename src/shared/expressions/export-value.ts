import { compareText } from '../text-order.js'
import { Fault } from '../source-fault.js'
import { charge, chargeNewText, type Frame } from './frame.js'
import { LIMITS } from './limits.js'
import { dictOf, isDict, isList, readMember, type Value } from './values.js'

/** A copy that shares nothing with the environment; maps are in the order of their keys. */
export function copyValue(frame: Frame, value: Value, at: number, depth = 0): Value {
  if (typeof value !== 'object' || value === null) return value
  if (depth > LIMITS.dataDepth) throw new Fault(at, 'the value is nested too deeply')
  const copyOf = (key: string | number): Value => {
    charge(frame, 4, at)
    return copyValue(frame, readMember(value, key, at), at, depth + 1)
  }
  if (isList(value)) {
    charge(frame, value.length, at)
    return Array.from({ length: value.length }, (_, index) => copyOf(index))
  }
  const keys = Object.keys(value).toSorted(compareText)
  return dictOf(keys.map((key) => [key, copyOf(key)]))
}

/** A value as text: nil is empty, integers are in full, lists and maps are JSON. */
export function textOf(frame: Frame, value: Value, at: number): string {
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number') return numberText(value)
  return typeof value === 'boolean' ? String(value) : jsonOf(frame, value, at)
}

/** JSON, with two spaces a level when it is to be indented. */
export function jsonOf(frame: Frame, value: Value, at: number, indent = 0): string {
  const copy = copyValue(frame, value, at)
  chargeNewText(frame, jsonChars(copy), at)
  const text = JSON.stringify(copy, (_key, item: unknown) => finite(item, at), indent)
  chargeNewText(frame, text.length, at)
  return text
}

/** At least the length of the value's JSON without its escapes. */
function jsonChars(value: Value): number {
  if (typeof value === 'string') return value.length + 2
  if (isList(value))
    return value.reduce<number>((sum, item) => sum + jsonChars(item as Value) + 1, 2)
  if (!isDict(value)) return 4
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + key.length + jsonChars(item as Value) + 4,
    2,
  )
}

function finite(item: unknown, at: number): unknown {
  if (typeof item === 'number' && !Number.isFinite(item))
    throw new Fault(at, `${numberText(item)} has no JSON form`)
  return item
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}
