import { errorMessage } from '../../errors.js'
import {
  compileLinearPattern,
  type LinearPattern,
  type PatternMatch,
} from '../../linear-pattern.js'
import { Fault } from '../../source-fault.js'
import { charge, chargeItems, chargeText } from '../budget.js'
import { type Call, fn, integerArg, place, type TemplateFunction, textArg } from './call.js'

const BASE: Readonly<Record<string, TemplateFunction>> = {
  regexMatch: fn(2, (call) => {
    const { pattern, text } = open(call)
    return pattern.test(text)
  }),
  regexFind: fn(2, (call) => find(call, 1)[0]?.groups[0] ?? ''),
  regexFindAll: fn(3, (call) =>
    find(call, integerArg(call, 2)).map(({ groups }) => groups[0] ?? ''),
  ),
  regexReplaceAll: fn(3, (call) => replace(call, expand)),
  regexReplaceAllLiteral: fn(3, (call) => replace(call, (template) => template)),
  regexSplit: fn(3, split),
}

export const PATTERNS: Readonly<Record<string, TemplateFunction>> = {
  ...BASE,
  // what is no pattern is a fault with both names
  ...Object.fromEntries(
    Object.entries(BASE).map(([name, each]) => [`mustR${name.slice(1)}`, each]),
  ),
  regexQuoteMeta: fn(1, (call) => textArg(call, 0).replace(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)),
}

/** Pays for one pass of the pattern over the text. */
function open(call: Call): { pattern: LinearPattern; text: string } {
  const [source, text] = [textArg(call, 0), textArg(call, 1)]
  charge(call.budget, source.length * 25, call.at)
  const pattern = compile(call, source)
  charge(call.budget, pattern.size * 50, call.at)
  charge(call.budget, Math.ceil((pattern.size * text.length) / 8), call.at)
  return { pattern, text }
}

function compile(call: Call, source: string): LinearPattern {
  try {
    return compileLinearPattern(source)
  } catch (error) {
    throw new Fault(place(call, 0), errorMessage(error), { cause: error })
  }
}

/** The first `limit` matches; below zero all. */
function find(call: Call, limit: number): PatternMatch[] {
  const { pattern, text } = open(call)
  const found: PatternMatch[] = []
  if (limit === 0) return found
  for (const match of pattern.findAll(text)) {
    // each search may read the rest of the text before it knows its match
    charge(call.budget, 4 + Math.ceil((pattern.size * (text.length - match.start)) / 16), call.at)
    found.push(match)
    if (found.length === limit) break
  }
  chargeItems(call.budget, found.length, call.at)
  return found
}

function replace(
  call: Call,
  replacement: (template: string, match: PatternMatch) => string,
): string {
  const [text, template] = [textArg(call, 1), textArg(call, 2)]
  const parts: string[] = []
  let [end, chars] = [0, text.length]
  for (const match of find(call, -1)) {
    const part = replacement(template, match)
    chars += part.length
    chargeText(call.budget, chars, call.at)
    parts.push(text.slice(end, match.start), part)
    end = match.end
  }
  return parts.join('') + text.slice(end)
}

/** `$1`, `${1}`, `$name` and `${name}` are groups, `$$` is a dollar. */
function expand(template: string, { groups, names }: PatternMatch): string {
  return template.replace(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (_all, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare
      if (name === undefined) return '$'
      return (/^\d+$/.test(name) ? groups[Number(name)] : names.get(name)) ?? ''
    },
  )
}

/** At most `limit` parts, the last of which is the rest; below zero all. */
function split(call: Call): string[] {
  const text = textArg(call, 1)
  const limit = integerArg(call, 2)
  if (limit === 0) return []
  const parts: string[] = []
  let [begin, last] = [0, 0]
  for (const { start, end } of find(call, -1)) {
    if (limit > 0 && parts.length === limit - 1) break
    last = start
    if (end !== 0) parts.push(text.slice(begin, start))
    begin = end
  }
  return last === text.length && text !== '' ? parts : [...parts, text.slice(begin)]
}
