import { charactersOf, sliceCharacters } from '../../characters.js'
import { Fault } from '../../source-fault.js'
import { charge, chargeItems, chargeText } from '../budget.js'
import { formatValue } from '../format-value.js'
import { quoteGo } from '../printf.js'
import type { Value } from '../values.js'
import { arg, type Call, fn, integerArg, place, type TemplateFunction, textArg } from './call.js'
import { textsOf } from './lists.js'

const trimAll = fn(2, (call) => trimCharacters(call, textArg(call, 0), textArg(call, 1)))

export const TEXTS: Readonly<Record<string, TemplateFunction>> = {
  trim: fn(1, (call) => textArg(call, 0).trim()),
  trimAll,
  trimall: trimAll,
  trimPrefix: fn(2, (call) => {
    const [prefix, text] = [textArg(call, 0), textArg(call, 1)]
    return text.startsWith(prefix) ? text.slice(prefix.length) : text
  }),
  trimSuffix: fn(2, (call) => {
    const [suffix, text] = [textArg(call, 0), textArg(call, 1)]
    return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text
  }),
  upper: fn(1, (call) => textArg(call, 0).toUpperCase()),
  lower: fn(1, (call) => textArg(call, 0).toLowerCase()),
  title: fn(1, title),
  substr: fn(3, substr),
  trunc: fn(2, (call) => {
    const [count, text] = [integerArg(call, 0), textArg(call, 1)]
    return count < 0 ? sliceCharacters(text, count, undefined) : sliceCharacters(text, 0, count)
  }),
  repeat: fn(2, (call) => {
    const [count, text] = [integerArg(call, 0), textArg(call, 1)]
    if (count < 0) throw new Fault(place(call, 0), 'the count is below zero')
    chargeText(call.budget, count * text.length, call.at)
    return text.repeat(count)
  }),
  replace: fn(3, replace),
  contains: fn(2, (call) => textArg(call, 1).includes(textArg(call, 0))),
  hasPrefix: fn(2, (call) => textArg(call, 1).startsWith(textArg(call, 0))),
  hasSuffix: fn(2, (call) => textArg(call, 1).endsWith(textArg(call, 0))),
  quote: fn([0, Infinity], (call) => joined(call, (text) => quoteGo(text))),
  squote: fn([0, Infinity], (call) => joined(call, (text) => `'${text}'`)),
  cat: fn([0, Infinity], (call) => joined(call, (text) => text).trim()),
  indent: fn(2, (call) => indent(call, integerArg(call, 0))),
  nindent: fn(2, (call) => `\n${indent(call, integerArg(call, 0))}`),
  plural: fn(3, (call) => textArg(call, integerArg(call, 2) === 1 ? 0 : 1)),
  toString: fn(1, (call) => formatValue(arg(call, 0), call)),
  split: fn(2, (call) => numbered(splitText(call, textArg(call, 1), -1))),
  splitn: fn(3, (call) => numbered(splitText(call, textArg(call, 2), integerArg(call, 1)))),
  splitList: fn(2, (call) => splitText(call, textArg(call, 1), -1)),
  join: fn(2, (call) => {
    const [separator, texts] = [textArg(call, 0), textsOf(call, 1)]
    const chars = texts.reduce((sum, text) => sum + text.length + separator.length, 0)
    chargeText(call.budget, chars, call.at)
    return texts.join(separator)
  }),
}

/** The first letter of each word in upper case. */
function title(call: Call): Value {
  const text = textArg(call, 0)
  charge(call.budget, Math.ceil(text.length / 2), call.at)
  return text.replace(
    /(^|[^\p{L}\p{Nd}_])(\p{L})/gu,
    (_all, before: string, letter: string) => before + letter.toUpperCase(),
  )
}

function trimCharacters({ budget, at }: Call, characters: string, text: string): string {
  const cut = new Set(charactersOf(characters))
  charge(budget, Math.ceil(text.length / 4), at)
  const chars = charactersOf(text)
  let [from, to] = [0, chars.length]
  while (from < to && cut.has(chars[from] ?? '')) from++
  while (to > from && cut.has(chars[to - 1] ?? '')) to--
  return chars.slice(from, to).join('')
}

/** A start below zero is the start of the text, an end below zero its end. */
function substr(call: Call): Value {
  const [start, end, text] = [integerArg(call, 0), integerArg(call, 1), textArg(call, 2)]
  if (start < 0) return sliceCharacters(text, 0, Math.max(0, end))
  return sliceCharacters(text, start, end < 0 ? undefined : end)
}

function replace(call: Call): Value {
  const [from, to, text] = [textArg(call, 0), textArg(call, 1), textArg(call, 2)]
  const parts = from === '' ? ['', ...charactersOf(text), ''] : text.split(from)
  chargeItems(call.budget, parts.length, call.at)
  chargeText(call.budget, text.length + (parts.length - 1) * to.length, call.at)
  return parts.join(to)
}

/** The arguments but nil, each changed, with spaces between. */
function joined(call: Call, change: (text: string) => string): string {
  const texts = call.values
    .filter((value) => value !== null)
    .map((value) => change(formatValue(value, call)))
  chargeText(
    call.budget,
    texts.reduce((sum, text) => sum + text.length + 1, 0),
    call.at,
  )
  return texts.join(' ')
}

function indent(call: Call, spaces: number): string {
  if (spaces < 0) throw new Fault(place(call, 0), 'the count is below zero')
  const text = textArg(call, 1)
  const lines = text.split('\n')
  chargeText(call.budget, text.length + lines.length * spaces, call.at)
  const pad = ' '.repeat(spaces)
  return lines.map((line) => pad + line).join('\n')
}

/** At most `limit` parts, the last of which is the rest; below zero all. */
function splitText(call: Call, text: string, limit: number): string[] {
  const separator = textArg(call, 0)
  const parts = separator === '' ? charactersOf(text) : text.split(separator)
  chargeItems(call.budget, parts.length, call.at)
  if (limit < 0 || parts.length <= limit) return parts
  return limit === 0 ? [] : [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]
}

/** Sprig's map of parts: `_0`, `_1`, … */
function numbered(parts: readonly string[]): Map<string, Value> {
  return new Map(parts.map((part, index) => [`_${index}`, part]))
}
