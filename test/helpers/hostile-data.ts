import fc from 'fast-check'

const KEYS = ['a', 'b', 'ref', 'number', '__proto__', 'constructor', 'toString', 'length', '0']

/** Makes the value anew. */
export type Recipe = () => unknown

/** Counts what of it was run. */
export interface Traps {
  sprung: number
}

/**
 * Data as nobody should hand it over: among plain values getters, Proxies, functions, class instances,
 * symbols, and keys that mean something to the host. As recipes: fast-check looks into its values.
 */
export function hostileData(traps: Traps): fc.Arbitrary<Recipe> {
  const spring = (): never => {
    traps.sprung++
    throw new Error('sprung')
  }
  const proxy = (): object =>
    new Proxy([], { get: spring, has: spring, ownKeys: spring, getOwnPropertyDescriptor: spring })
  const getter = (): object =>
    Object.defineProperty({}, 'a', { get: spring, enumerable: true, configurable: true })
  const made = fc.constantFrom<Recipe[]>(
    proxy,
    getter,
    () => spring,
    () => new Date(0),
    () => new Map([['a', 1]]),
    () => Symbol('s'),
    () => 1n,
    () => Object.create({ a: spring }) as unknown,
    () => Object.assign([1, 2], { toString: spring, toJSON: spring }),
    () => ({ toString: spring, valueOf: spring, toJSON: spring, [Symbol.toPrimitive]: spring }),
  )
  return fc.letrec<{ value: Recipe }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc
        .oneof(fc.constantFrom(null, undefined, true, 0, -1, 42, NaN, Infinity), fc.string())
        .map((value) => () => value),
      made,
      fc.array(tie('value'), { maxLength: 4 }).map((items) => () => items.map((item) => item())),
      fc
        .array(fc.tuple(fc.constantFrom(...KEYS), tie('value')), { maxLength: 4 })
        .map((entries) => () => Object.fromEntries(entries.map(([key, item]) => [key, item()]))),
    ),
  })).value
}

/** True for what JSON can say, through and through: nothing of the host can be reached from it. */
export function isPlainData(value: unknown): boolean {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return true
  if (typeof value !== 'object') return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Array.prototype && prototype !== Object.prototype) return false
  return Object.entries(Object.getOwnPropertyDescriptors(value)).every(
    ([key, property]) =>
      'value' in property &&
      ((Array.isArray(value) && key === 'length') || isPlainData(property.value)),
  )
}

/** Cuts, doubles and swaps pieces of sources that are right. */
export function mutated(sources: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.tuple(fc.constantFrom(...sources), fc.nat(200), fc.nat(40)).map(slice)
  return fc
    .tuple(
      fc.constantFrom(...sources),
      fc.nat(200),
      fc.nat(5),
      fc.oneof(piece, fc.string({ maxLength: 3 })),
    )
    .map(([source, at, removed, added]) => {
      const place = at % (source.length + 1)
      return source.slice(0, place) + added + source.slice(place + removed)
    })
}

function slice([source, at, length]: [string, number, number]): string {
  const place = at % (source.length + 1)
  return source.slice(place, place + length)
}
