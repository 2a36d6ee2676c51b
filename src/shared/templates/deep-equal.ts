import { Fault } from '../source-fault.js'
import { charge } from './budget.js'
import type { Paying } from './format-value.js'
import { LIMITS } from './limits.js'
import { isDict, isList, type Value } from './values.js'

/** Equality of whatever is within, too. */
export function areDeeplyEqual(a: Value, b: Value, paying: Paying, depth = 0): boolean {
  charge(paying.budget, 1, paying.at)
  if (depth > LIMITS.dataDepth) throw new Fault(paying.at, 'the values are nested too deeply')
  const isSame = (left: Value, right: Value): boolean =>
    areDeeplyEqual(left, right, paying, depth + 1)
  if (isList(a) && isList(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index] ?? null))
  if (!isDict(a) || !isDict(b)) return a === b
  return (
    a.size === b.size &&
    [...a].every(([key, item]) => b.has(key) && isSame(item, b.get(key) ?? null))
  )
}
