/**
 * What the prelude needs of the language, taken before any code of an author has run: whatever that
 * replaces later, the prelude goes on with these.
 *
 * All files of this folder run inside the sandbox. They import nothing from outside the folder, and
 * avoid what looks up replaceable properties: spread, for-of, destructured lists, methods on values.
 */

// oxlint-disable typescript/unbound-method -- taking methods off their objects is what this file is for
const {
  apply,
  get: reflectGet,
  ownKeys,
  defineProperty,
  getOwnPropertyDescriptor,
  getPrototypeOf,
} = Reflect
const { freeze, isFrozen, is } = Object
const { isArray } = Array
const { parse, stringify } = JSON
const { floor } = Math

export {
  apply,
  defineProperty,
  floor,
  freeze,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  is,
  isArray,
  isFrozen,
  ownKeys,
  parse,
  reflectGet,
  stringify,
}

export const PromiseIntrinsic = Promise
export const ErrorIntrinsic = Error
export const TypeErrorIntrinsic = TypeError
export const RangeErrorIntrinsic = RangeError
export const RegExpIntrinsic = RegExp
export const DateIntrinsic = Date
export const SetIntrinsic = Set
export const MapIntrinsic = Map
export const ProxyIntrinsic = Proxy
export const StringIntrinsic = String
export const dateNow = Date.now

type Method<Self, Args extends unknown[], Result> = (this: Self, ...args: Args) => Result

/** A method as a function of its receiver. The bound function looks nothing up when it is called. */
function unbind<Self, Args extends unknown[], Result>(
  method: Method<Self, Args, Result>,
): (self: Self, ...args: Args) => Result {
  return apply(Function.prototype.bind, Function.prototype.call, [method])
}

export const mapGet = unbind<Map<unknown, unknown>, [unknown], unknown>(Map.prototype.get)
export const mapSet = unbind<Map<unknown, unknown>, [unknown, unknown], unknown>(Map.prototype.set)
export const mapDelete = unbind<Map<unknown, unknown>, [unknown], boolean>(Map.prototype.delete)
export const mapForEach = unbind<
  Map<unknown, unknown>,
  [(value: unknown, key: unknown) => void],
  void
>(Map.prototype.forEach)
export const setForEach = unbind<Set<unknown>, [(value: unknown) => void], void>(
  Set.prototype.forEach,
)
export const slice = unbind<string, [number, number?], string>(String.prototype.slice)
export const split = unbind<string, [string], string[]>(String.prototype.split)
export const toLowerCase = unbind<string, [], string>(String.prototype.toLowerCase)
export const startsWith = unbind<string, [string], boolean>(String.prototype.startsWith)
export const errorToString = unbind<unknown, [], string>(Error.prototype.toString)
export const regExpToString = unbind<RegExp, [], string>(RegExp.prototype.toString)
export const dateToIso = unbind<Date, [], string>(Date.prototype.toISOString)
export const symbolToString = unbind<symbol, [], string>(Symbol.prototype.toString)
export const bigIntToString = unbind<bigint, [], string>(BigInt.prototype.toString)
export const functionToName = (value: object): unknown =>
  getOwnPropertyDescriptor(value, 'name')?.value

/** Appends without touching `Array.prototype`, where setters may lie in wait. */
export function append<Item>(list: Item[], item: Item): void {
  setOwn(list, list.length, item)
}

/** Defines a plain property, whatever the object's prototypes say. */
export function setOwn(object: object, key: PropertyKey, value: unknown): void {
  defineProperty(object, key, descriptor(value, true))
}

/** A property descriptor that inherits nothing. */
export function descriptor(
  value: unknown,
  isWritable: boolean,
  isEnumerable = true,
): PropertyDescriptor {
  return {
    __proto__: null,
    value,
    writable: isWritable,
    enumerable: isEnumerable,
    configurable: isWritable,
  } as PropertyDescriptor
}

/** Joins texts as `Array.prototype.join` does. */
export function join(texts: readonly string[], separator: string): string {
  let joined = ''
  for (let index = 0; index < texts.length; index++)
    joined += index === 0 ? texts[index] : separator + texts[index]
  return joined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
