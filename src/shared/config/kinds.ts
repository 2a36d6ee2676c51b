import { findLabelFault } from '../contract/queue-rules.js'
import { parseDuration } from './duration.js'

/** What the values of a flag are: how they are written, parsed and named in help. */
export interface Kind<T> {
  /** Stands for the value in help and in errors: `--port=INT`. */
  placeholder: string
  /** `switch` needs no value; of `one` the last counts; of `many` all count. */
  arity: 'switch' | 'one' | 'many'
  /** A bad value is a usage error; otherwise it is only found wrong for what it means. */
  isSyntax: boolean
  /** For shells that complete a value: its possible ones, or `file` when it is the path of one. */
  completes?: 'file' | readonly string[]
  /**
   * One text for each time that the flag was given. Throws an Error whose message follows the
   * flag's name, or names the flag itself; it never holds the value of something secret.
   */
  parse(texts: readonly string[]): T
}

export const text: Kind<string> = one('STRING', (value) => value)

/** Text where nothing at all would be a mistake: an empty host would listen everywhere. */
export const filledText: Kind<string> = one('STRING', (value) => {
  if (value.trim() !== '') return value
  throw new Error('expected a value, got nothing')
})

/** The path of a file or a folder. */
export const path: Kind<string> = { ...filledText, completes: 'file' }

export const boolean: Kind<boolean> = {
  ...one('BOOL', (value) => {
    if (/^(true|1|yes)$/i.test(value)) return true
    if (/^(false|0|no)$/i.test(value)) return false
    throw new Error(`expected true or false, got ${quote(value)}`)
  }),
  arity: 'switch',
}

export function integer({ min, max }: { min: number; max: number }): Kind<number> {
  return one('INT', (value) => {
    const number = Number(value)
    if (/^[+-]?\d+$/.test(value) && number >= min && number <= max) return number
    throw new Error(`expected a whole number from ${min} to ${max}, got ${quote(value)}`)
  })
}

/** Go duration text; the value is in whole milliseconds. */
export function duration({ min, max }: { min: string; max: string }): Kind<number> {
  const minMs = parseDuration(min) ?? 0
  const maxMs = parseDuration(max) ?? 0
  return one('DURATION', (value) => {
    const ms = parseDuration(value)
    if (ms === undefined)
      throw new Error(`expected a duration such as 5s or 1h30m, got ${quote(value)}`)
    if (ms < minMs || ms > maxMs)
      throw new Error(`expected a duration from ${min} to ${max}, got ${quote(value)}`)
    return Math.round(ms)
  })
}

export function choice<const Value extends string>(values: readonly Value[]): Kind<Value> {
  const kind = one('STRING', (value) => {
    const found = values.find((known) => known === value)
    if (found !== undefined) return found
    throw new Error(`expected one of ${values.map(quote).join(', ')}, got ${quote(value)}`)
  })
  return { ...kind, completes: values.filter((value) => value !== '') }
}

/** Repeatable and split at commas; a comma of the value itself is written `\,`. */
export const list: Kind<string[]> = {
  placeholder: 'STRING,...',
  arity: 'many',
  isSyntax: true,
  parse: (texts) => texts.flatMap((value) => splitList(value)),
}

/** Labels of executors and pipelines. */
export const labels: Kind<string[]> = {
  ...list,
  placeholder: 'LABEL,...',
  parse(texts) {
    const given = list.parse(texts)
    const fault = findLabelFault(given)
    if (fault !== undefined) throw new Error(fault)
    return given
  },
}

/** Repeatable KEY=VALUE that is no secret; a comma is part of the value. */
export const pairs: Kind<string[]> = {
  placeholder: 'KEY=VALUE',
  arity: 'many',
  isSyntax: true,
  parse: (texts) => [...texts],
}

export const logLevel: Kind<'debug' | 'info' | 'warn' | 'error'> = {
  ...one('LEVEL', (value) => parseLogLevel(value)),
  completes: ['debug', 'info', 'warn', 'error'],
}

function parseLogLevel(value: string): 'debug' | 'info' | 'warn' | 'error' {
  const [, name = '', offset = '0'] = /^([a-z]+)([+-]\d+)?$/i.exec(value) ?? []
  const base = LEVELS.get(name.toLowerCase())
  if (base === undefined)
    throw new Error(`expected one of "debug", "info", "warn", "error", got ${quote(value)}`)
  const level = base + Number(offset)
  if (level <= -4) return 'debug'
  if (level <= 0) return 'info'
  return level <= 4 ? 'warn' : 'error'
}

/** The numbers behind offset forms: INFO+2 hides info and shows warn. */
const LEVELS = new Map([
  ['debug', -4],
  ['info', 0],
  ['warn', 4],
  ['error', 8],
])

/** The same kind of value, but a bad one is found when the command runs, not when it is parsed. */
export function checked<T, Result>(kind: Kind<T>, check: (value: T) => Result): Kind<Result> {
  return { ...kind, isSyntax: false, parse: (texts) => check(kind.parse(texts)) }
}

/** A value as it may be shown: quoted, control characters escaped, not too long. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
}

function one<T>(placeholder: string, parse: (value: string) => T): Kind<T> {
  return {
    placeholder,
    arity: 'one',
    isSyntax: true,
    parse: (texts) => parse(texts.at(-1) ?? ''),
  }
}

function splitList(value: string): string[] {
  return [...value.matchAll(/((?:\\,|[^,])+)/g)]
    .map(([part]) => part.replaceAll('\\,', ',').trim())
    .filter((part) => part !== '')
}
