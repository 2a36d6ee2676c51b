import { Fault } from '../source-fault.js'
import { typeName, type Value } from './values.js'

/** What is known about a value before it is there. */
export type ValueType =
  | 'any'
  | 'nil'
  | 'bool'
  | 'number'
  | 'string'
  | 'list'
  | 'map'
  /** A map of texts: a missing key is the empty text. */
  | 'texts'
  /** Texts whose keys are found in any case. */
  | 'headers'

/** Whether a value of type `found` may be used where `wanted` is; only run time knows of `any`. */
export function mayBe(found: ValueType, wanted: ValueType): boolean {
  return found === 'any' || wanted === 'any' || baseOf(found) === baseOf(wanted)
}

/** Texts and headers are maps. */
export function baseOf(type: ValueType): ValueType {
  return type === 'texts' || type === 'headers' ? 'map' : type
}

/** The type of a value that may come from either side. */
export function eitherType(a: ValueType, b: ValueType): ValueType {
  if (a === b) return a
  return baseOf(a) === baseOf(b) ? 'map' : 'any'
}

interface Typed {
  type: ValueType
  at: number
}

/** Throws a Fault where the type is known to be another. */
export function expectType({ type, at }: Typed, ...wanted: ValueType[]): void {
  if (!wanted.some((each) => mayBe(type, each)))
    throw new Fault(
      at,
      `a ${wanted.join(' or ')} is expected, this is ${type === 'nil' ? 'nil' : `a ${baseOf(type)}`}`,
    )
}

export function asBool(value: Value, at: number): boolean {
  if (typeof value === 'boolean') return value
  throw new Fault(at, `a bool is expected, this is ${describe(value)}`)
}

export function asNumber(value: Value, at: number): number {
  if (typeof value === 'number') return value
  throw new Fault(at, `a number is expected, this is ${describe(value)}`)
}

/** An index or count: a fraction is cut off, as expr-lang does. */
export function asInteger(value: Value, at: number): number {
  const number = Math.trunc(asNumber(value, at))
  if (Number.isSafeInteger(number)) return number + 0
  throw new Fault(at, 'an integer is expected')
}

export function asText(value: Value, at: number): string {
  if (typeof value === 'string') return value
  throw new Fault(at, `a string is expected, this is ${describe(value)}`)
}

function describe(value: Value): string {
  return value === null ? 'nil' : `a ${typeName(value)}`
}
