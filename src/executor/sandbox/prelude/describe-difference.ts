import {
  append,
  isArray,
  isObject,
  join,
  ownKeys,
  stringify,
  DateIntrinsic,
  MapIntrinsic,
  SetIntrinsic,
} from './intrinsics.js'
import { inspect, truncate } from './inspect.js'
import { diffLines } from './line-diff.js'

const MAX_DIFF_CHARS = 65_536
const MAX_DIFF_DEPTH = 20

/** Why two values are not equal: both, and a diff of what has lines. */
export function describeDifference(actual: unknown, expected: unknown): string {
  const message = `Not equal: \nexpected: ${inspect(expected)}\nactual  : ${inspect(actual)}`
  const expectedText = linesOf(expected)
  const actualText = linesOf(actual)
  if (expectedText === undefined || actualText === undefined) return message
  return `${message}\n\nDiff:\n${truncate(diffLines(expectedText, actualText), MAX_DIFF_CHARS)}`
}

/** A string itself; an object over as many lines as it has parts; nothing for other values. */
function linesOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!isObject(value) || typeof value === 'function') return undefined
  try {
    return layOut(value, '', 0)
  } catch {
    return undefined
  }
}

function layOut(value: unknown, indent: string, depth: number): string {
  if (!isObject(value) || depth > MAX_DIFF_DEPTH) return inspect(value)
  const isList = isArray(value)
  const keys = isList ? indexesOf(value) : ownKeys(value)
  if (keys.length === 0 || (!isList && !isPlain(value))) return inspect(value)
  const inner = `${indent}  `
  const lines: string[] = []
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string
    const name = isList || typeof key !== 'string' ? '' : `${stringify(key)}: `
    append(lines, `${inner}${name}${layOut(value[key], inner, depth + 1)},`)
  }
  return `${isList ? '[' : '{'}\n${join(lines, '\n')}\n${indent}${isList ? ']' : '}'}`
}

function indexesOf(list: ArrayLike<unknown>): string[] {
  const indexes: string[] = []
  for (let index = 0; index < list.length; index++) append(indexes, `${index}`)
  return indexes
}

function isPlain(value: object): boolean {
  return !(
    value instanceof MapIntrinsic ||
    value instanceof SetIntrinsic ||
    value instanceof DateIntrinsic
  )
}
