import { compareText } from '../text-order.js'
import { Fault } from '../source-fault.js'
import { charge, chargeText, type Frame } from './frame.js'
import { LIMITS } from './limits.js'
import { type Dict, isDict, isList, type List, readMember, typeName, type Value } from './values.js'

interface Place {
  frame: Frame
  at: number
  depth: number
}

/** Equality by value: lists and maps are equal when their items are. */
export function areEqual(frame: Frame, a: Value, b: Value, at: number): boolean {
  return isSame(a, b, { frame, at, depth: 0 })
}

function isSame(a: Value, b: Value, place: Place): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length === b.length) chargeText(place.frame, a.length, place.at)
    return a === b
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (place.depth > LIMITS.dataDepth)
    throw new Fault(place.at, 'the values are nested too deeply to be compared')
  const inside = { ...place, depth: place.depth + 1 }
  if (isList(a) && isList(b)) return areListsSame(a, b, inside)
  return isDict(a) && isDict(b) && areDictsSame(a, b, inside)
}

function areListsSame(a: List, b: List, place: Place): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) {
    charge(place.frame, 2, place.at)
    const [left, right] = [readMember(a, index, place.at), readMember(b, index, place.at)]
    if (!isSame(left, right, place)) return false
  }
  return true
}

function areDictsSame(a: Dict, b: Dict, place: Place): boolean {
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => {
    charge(place.frame, 2, place.at)
    if (!Object.hasOwn(b, key)) return false
    return isSame(readMember(a, key, place.at), readMember(b, key, place.at), place)
  })
}

/** Below zero when a comes first. Numbers are ordered with numbers, texts with texts. */
export function compareValues(frame: Frame, a: Value, b: Value, at: number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a !== 'string' || typeof b !== 'string')
    throw new Fault(at, `${typeName(a)} and ${typeName(b)} have no order`)
  chargeText(frame, Math.min(a.length, b.length), at)
  return compareText(a, b)
}
