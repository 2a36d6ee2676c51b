import { charactersOf, countCharacters } from '../../characters.js'
import { Fault } from '../../source-fault.js'
import { charge, chargeNewItems, chargeNewText, chargeText } from '../frame.js'
import type { Value } from '../values.js'
import {
  type Builtin,
  builtin,
  type Call,
  hasArg,
  integerArg,
  listArg,
  place,
  textArg,
} from './call.js'
import { asText } from '../value-type.js'
import { readMember } from '../values.js'

export const TEXTS: Readonly<Record<string, Builtin>> = {
  lower: builtin('string', 'string', (call) => newText(call, textArg(call, 0)).toLowerCase()),
  upper: builtin('string', 'string', (call) => newText(call, textArg(call, 0)).toUpperCase()),
  trim: builtin('string string?', 'string', trim),
  trimPrefix: builtin('string string', 'string', (call) => {
    const [text, prefix] = [newText(call, textArg(call, 0)), textArg(call, 1)]
    return text.startsWith(prefix) ? text.slice(prefix.length) : text
  }),
  trimSuffix: builtin('string string', 'string', (call) => {
    const [text, suffix] = [newText(call, textArg(call, 0)), textArg(call, 1)]
    return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text
  }),
  split: builtin('string string number?', 'list', split),
  join: builtin('list string?', 'string', join),
  replace: builtin('string string string number?', 'string', replace),
  repeat: builtin('string number', 'string', repeat),
  hasPrefix: builtin('string string', 'bool', (call) => scanned(call).startsWith(textArg(call, 1))),
  hasSuffix: builtin('string string', 'bool', (call) => scanned(call).endsWith(textArg(call, 1))),
  indexOf: builtin('string string', 'number', (call) => {
    const text = scanned(call)
    return charsBefore(text, text.indexOf(textArg(call, 1)))
  }),
  lastIndexOf: builtin('string string', 'number', (call) => {
    const text = scanned(call)
    return charsBefore(text, text.lastIndexOf(textArg(call, 1)))
  }),
}

function newText(call: Call, text: string): string {
  chargeNewText(call.frame, text.length, call.at)
  return text
}

/** The first argument, which is to be looked through. */
function scanned(call: Call): string {
  const text = textArg(call, 0)
  chargeText(call.frame, text.length, call.at)
  return text
}

function charsBefore(text: string, index: number): number {
  return index <= 0 ? index : countCharacters(text.slice(0, index))
}

/** Cuts white space, or the characters of the second argument, off both ends. */
function trim(call: Call): Value {
  const text = newText(call, textArg(call, 0))
  if (!hasArg(call, 1)) return text.trim()
  const cut = new Set(charactersOf(textArg(call, 1)))
  charge(call.frame, Math.ceil(text.length / 4), call.at)
  const chars = charactersOf(text)
  let [from, to] = [0, chars.length]
  while (from < to && cut.has(chars[from] ?? '')) from++
  while (to > from && cut.has(chars[to - 1] ?? '')) to--
  return chars.slice(from, to).join('')
}

/** At most `limit` parts, the last of which is the rest; an empty separator parts characters. */
function split(call: Call): Value {
  const [text, separator] = [newText(call, textArg(call, 0)), textArg(call, 1)]
  const limit = hasArg(call, 2) ? integerArg(call, 2) : -1
  if (separator === '') charge(call.frame, Math.ceil(text.length / 4), call.at)
  const parts = separator === '' ? charactersOf(text) : text.split(separator)
  chargeNewItems(call.frame, parts.length, call.at)
  if (limit === 0) return []
  if (limit < 0 || parts.length <= limit) return parts
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]
}

function join(call: Call): Value {
  const list = listArg(call, 0)
  const separator = hasArg(call, 1) ? textArg(call, 1) : ''
  chargeNewItems(call.frame, list.length, call.at)
  let length = 0
  const parts = Array.from({ length: list.length }, (_, index) => {
    const part = asText(readMember(list, index, place(call, 0)), place(call, 0))
    length += part.length + separator.length
    return part
  })
  chargeNewText(call.frame, length, call.at)
  return parts.join(separator)
}

/** All occurrences, or the first few. */
function replace(call: Call): Value {
  const [text, from, to] = [textArg(call, 0), textArg(call, 1), textArg(call, 2)]
  const limit = hasArg(call, 3) ? integerArg(call, 3) : -1
  newText(call, text)
  // between all characters where nothing is to be replaced, as in Go
  const parts = from === '' ? ['', ...charactersOf(text), ''] : text.split(from)
  const count = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1)
  chargeNewText(call.frame, text.length + count * to.length, call.at)
  const head = parts.slice(0, count + 1).join(to)
  const tail = parts.slice(count + 1)
  return tail.length === 0 ? head : [head, ...tail].join(from)
}

function repeat(call: Call): Value {
  const [text, count] = [textArg(call, 0), integerArg(call, 1)]
  if (count < 0) throw new Fault(place(call, 1), 'the count is below zero')
  chargeNewText(call.frame, text.length * count, call.at)
  return text.repeat(count)
}
