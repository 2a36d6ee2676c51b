import { Fault } from '../source-fault.js'
import { type Budget, charge, chargeText } from './budget.js'
import { LIMITS } from './limits.js'
import { isDict, isList, sortedEntries, type Value } from './values.js'

export interface Paying {
  budget: Budget
  at: number
}

/** A value as Go prints it: `[a b]`, `map[k:v]`, `<nil>`; numbers are written in full. */
export function formatValue(value: Value, paying: Paying, depth = 0): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatNumber(value)
  if (typeof value === 'boolean') return String(value)
  return value === null
    ? '<nil>'
    : formatItems(value, (item) => formatValue(item, paying, depth + 1), { ...paying, depth })
}

/** `[…]` or `map[…]` with each item formatted. */
export function formatItems(
  value: Value,
  format: (item: Value) => string,
  { budget, at, depth }: Paying & { depth: number },
): string {
  if (depth > LIMITS.dataDepth) throw new Fault(at, 'the value is nested too deeply')
  const texts: string[] = []
  let chars = 0
  const add = (text: string): void => {
    charge(budget, 1, at)
    chars += text.length + 1
    if (chars > LIMITS.textChars) chargeText(budget, chars, at)
    texts.push(text)
  }
  if (isList(value)) for (const item of value) add(format(item))
  else if (isDict(value))
    for (const [key, item] of sortedEntries(value)) add(`${key}:${format(item)}`)
  chargeText(budget, chars, at)
  return `${isDict(value) ? 'map' : ''}[${texts.join(' ')}]`
}

/** Whole numbers in full; others as Go does, with an exponent only where they are very small. */
export function formatNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  if (Number.isInteger(value)) return BigInt(value).toString()
  return Math.abs(value) < 1e-4 ? goExponent(value.toExponential()) : String(value)
}

/** Go writes two digits of an exponent: 1e-05. */
export function goExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}
