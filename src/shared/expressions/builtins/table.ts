import type { Builtin } from './call.js'
import { CONVERSIONS } from './conversions.js'
import { LISTS } from './lists.js'
import { MAPS } from './maps.js'
import { NUMBERS } from './numbers.js'
import { TEXTS } from './texts.js'

/** Every function without a predicate; docs/expressions.md explains them. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map(
  Object.entries({ ...TEXTS, ...NUMBERS, ...LISTS, ...MAPS, ...CONVERSIONS }),
)
