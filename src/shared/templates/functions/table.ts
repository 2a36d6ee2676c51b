import type { TemplateFunction } from './call.js'
import { COMPARISONS } from './comparisons.js'
import { DICTS } from './dicts.js'
import { ENCODINGS } from './encodings.js'
import { LISTS } from './lists.js'
import { LOGIC } from './logic.js'
import { NUMBERS } from './numbers.js'
import { PATHS } from './paths.js'
import { PATTERNS } from './patterns.js'
import { PRINTING } from './printing.js'
import { TEXTS } from './texts.js'

/** Every function; docs/templates.md lists them. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    ...COMPARISONS,
    ...LOGIC,
    ...PRINTING,
    ...TEXTS,
    ...LISTS,
    ...DICTS,
    ...NUMBERS,
    ...ENCODINGS,
    ...PATTERNS,
    ...PATHS,
  }),
)
