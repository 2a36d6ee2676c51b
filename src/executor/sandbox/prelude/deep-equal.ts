import {
  append,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  is,
  isObject,
  mapForEach,
  mapGet,
  ownKeys,
  setForEach,
  DateIntrinsic,
  ErrorIntrinsic,
  MapIntrinsic,
  RegExpIntrinsic,
  SetIntrinsic,
  RangeErrorIntrinsic,
} from './intrinsics.js'

/** Deepest nesting that is compared. */
const MAX_DEPTH = 200

/** Structural equality: same prototypes, same own enumerable properties, same entries. */
export function isDeepEqual(left: unknown, right: unknown, depth = 0): boolean {
  // 0 and -0 are equal, as with ===
  if (left === right || is(left, right)) return true
  if (!isObject(left) || !isObject(right)) return false
  if (typeof left === 'function' || typeof right === 'function') return false
  if (depth > MAX_DEPTH)
    throw new RangeErrorIntrinsic('the values are nested too deeply to be compared')
  if (getPrototypeOf(left) !== getPrototypeOf(right)) return false
  return hasEqualContents(left, right, depth) && hasEqualProperties(left, right, depth)
}

/** What objects of some classes hold beside their properties. */
function hasEqualContents(left: object, right: object, depth: number): boolean {
  if (left instanceof DateIntrinsic && right instanceof DateIntrinsic) return is(+left, +right)
  if (left instanceof RegExpIntrinsic && right instanceof RegExpIntrinsic)
    return `${left}` === `${right}`
  if (left instanceof ErrorIntrinsic && right instanceof ErrorIntrinsic)
    return left.message === right.message
  if (left instanceof MapIntrinsic && right instanceof MapIntrinsic)
    return isEqualMap(left, right, depth)
  if (left instanceof SetIntrinsic && right instanceof SetIntrinsic) return isEqualSet(left, right)
  return true
}

function isEqualMap(
  left: Map<unknown, unknown>,
  right: Map<unknown, unknown>,
  depth: number,
): boolean {
  let isEqual = left.size === right.size
  mapForEach(left, (value, key) => {
    if (isEqual && !(right.has(key) && isDeepEqual(value, mapGet(right, key), depth + 1)))
      isEqual = false
  })
  return isEqual
}

function isEqualSet(left: Set<unknown>, right: Set<unknown>): boolean {
  let isEqual = left.size === right.size
  setForEach(left, (value) => {
    if (!right.has(value)) isEqual = false
  })
  return isEqual
}

function hasEqualProperties(
  left: Record<string, unknown>,
  right: Record<string, unknown>,
  depth: number,
): boolean {
  const leftKeys = enumerableKeys(left)
  if (leftKeys.length !== enumerableKeys(right).length) return false
  for (let index = 0; index < leftKeys.length; index++) {
    const key = leftKeys[index] as string
    if (!getOwnPropertyDescriptor(right, key)?.enumerable) return false
    if (!isDeepEqual(left[key], right[key], depth + 1)) return false
  }
  return true
}

function enumerableKeys(value: object): string[] {
  const keys = ownKeys(value)
  const enumerable: string[] = []
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]
    if (typeof key === 'string' && getOwnPropertyDescriptor(value, key)?.enumerable)
      append(enumerable, key)
  }
  return enumerable
}
