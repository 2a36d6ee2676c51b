import {
  bigIntToString,
  dateToIso,
  errorToString,
  functionToName,
  getOwnPropertyDescriptor,
  isArray,
  isObject,
  mapForEach,
  ownKeys,
  regExpToString,
  setForEach,
  slice,
  stringify,
  symbolToString,
  DateIntrinsic,
  ErrorIntrinsic,
  MapIntrinsic,
  PromiseIntrinsic,
  RegExpIntrinsic,
  SetIntrinsic,
} from './intrinsics.js'

const MAX_CHARS = 65_536
const MAX_DEPTH = 5
const MAX_ENTRIES = 100

/** The text of console arguments: strings as they are, the rest as `inspect` shows it. */
export function formatArguments(values: readonly unknown[]): string {
  let text = ''
  for (let index = 0; index < values.length && text.length <= MAX_CHARS; index++) {
    const value = values[index]
    if (index > 0) text += ' '
    text += typeof value === 'string' ? value : inspect(value)
  }
  return truncate(text, MAX_CHARS)
}

/** A value as text for people: JSON-like, of bounded depth and size, whatever the value does. */
export function inspect(value: unknown): string {
  const budget: Budget = { chars: MAX_CHARS }
  return truncate(show(value, 0, undefined, budget), MAX_CHARS)
}

export function truncate(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  return `${slice(text, 0, maxChars)}… (${text.length - maxChars} more characters)`
}

interface Budget {
  chars: number
}

/** The objects around a value: a cycle is one that is among them. */
interface Ancestors {
  value: object
  outer: Ancestors | undefined
}

function show(
  value: unknown,
  depth: number,
  ancestors: Ancestors | undefined,
  budget: Budget,
): string {
  const text = isObject(value) ? showSafely(value, depth, ancestors, budget) : showPrimitive(value)
  budget.chars -= text.length
  return text
}

function showPrimitive(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return stringify(value)
    case 'bigint':
      return `${bigIntToString(value)}n`
    case 'symbol':
      return symbolToString(value)
    case 'number':
      return value === 0 && 1 / value < 0 ? '-0' : `${value}`
    default:
      return `${value as boolean | null | undefined}`
  }
}

/** Proxies and getters run code that may throw. */
function showSafely(
  value: object,
  depth: number,
  ancestors: Ancestors | undefined,
  budget: Budget,
): string {
  try {
    return showObject(value, depth, ancestors, budget)
  } catch {
    return '[unreadable]'
  }
}

function showObject(
  value: object,
  depth: number,
  outer: Ancestors | undefined,
  budget: Budget,
): string {
  for (let known = outer; known; known = known.outer) if (known.value === value) return '[Circular]'
  if (typeof value === 'function') {
    const name = functionToName(value)
    return typeof name === 'string' && name !== '' ? `[Function: ${name}]` : '[Function]'
  }
  if (value instanceof ErrorIntrinsic) return showError(value)
  if (value instanceof RegExpIntrinsic) return regExpToString(value)
  if (value instanceof DateIntrinsic) return dateToIso(value)
  if (value instanceof PromiseIntrinsic) return 'Promise {}'

  const isList = isArray(value)
  if (depth >= MAX_DEPTH) return isList ? '[…]' : '{…}'
  const ancestors: Ancestors = { value, outer }
  const inner = (item: unknown): string => show(item, depth + 1, ancestors, budget)
  if (value instanceof MapIntrinsic) return showMap(value, inner, budget)
  if (value instanceof SetIntrinsic) return showSet(value, inner, budget)
  return isList ? showList(value, inner, budget) : showRecord(value, inner, budget)
}

function showError(error: Error): string {
  const { stack } = error
  return typeof stack === 'string' && stack !== ''
    ? `${errorToString(error)}\n${stack}`
    : errorToString(error)
}

type ShowInner = (item: unknown) => string

/** Collects entries until there are too many of them, or too much text. */
function createEntries(open: string, close: string, total: number, budget: Budget) {
  let text = ''
  let count = 0
  return {
    get isFull(): boolean {
      return count >= MAX_ENTRIES || budget.chars <= 0
    },
    add(entry: string): void {
      text += count === 0 ? entry : `, ${entry}`
      count++
    },
    end(): string {
      const left = total - count
      if (left > 0) text += `${count === 0 ? '' : ', '}… ${left} more`
      return text === '' ? open + close : `${open} ${text} ${close}`
    },
  }
}

function showList(list: readonly unknown[], inner: ShowInner, budget: Budget): string {
  const entries = createEntries('[', ']', list.length, budget)
  for (let index = 0; index < list.length && !entries.isFull; index++)
    entries.add(showProperty(list, index, inner))
  return entries.end()
}

function showRecord(record: object, inner: ShowInner, budget: Budget): string {
  const keys = ownKeys(record)
  const entries = createEntries('{', '}', keys.length, budget)
  for (let index = 0; index < keys.length && !entries.isFull; index++) {
    const key = keys[index] as string | symbol
    const name = typeof key === 'symbol' ? `[${symbolToString(key)}]` : stringify(key)
    entries.add(`${name}: ${showProperty(record, key, inner)}`)
  }
  return entries.end()
}

/** Getters are named, not called. */
function showProperty(owner: object, key: PropertyKey, inner: ShowInner): string {
  const property = getOwnPropertyDescriptor(owner, key)
  if (!property) return 'undefined'
  return property.get || property.set ? '[Getter]' : inner(property.value)
}

function showMap(map: Map<unknown, unknown>, inner: ShowInner, budget: Budget): string {
  const entries = createEntries('Map {', '}', map.size, budget)
  mapForEach(map, (value, key) => {
    if (!entries.isFull) entries.add(`${inner(key)} => ${inner(value)}`)
  })
  return entries.end()
}

function showSet(set: Set<unknown>, inner: ShowInner, budget: Budget): string {
  const entries = createEntries('Set {', '}', set.size, budget)
  setForEach(set, (value) => {
    if (!entries.isFull) entries.add(inner(value))
  })
  return entries.end()
}
