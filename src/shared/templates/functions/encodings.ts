import { createHash } from 'node:crypto'
import { Fault } from '../../source-fault.js'
import { charge, chargeText } from '../budget.js'
import { LIMITS } from '../limits.js'
import { copyData, isDict, isList, sortedEntries, type Value } from '../values.js'
import { arg, type Call, fn, place, type TemplateFunction, textArg } from './call.js'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

const toJson = fn(1, (call) => escapeHtml(json(call)))
const toPrettyJson = fn(1, (call) => escapeHtml(json(call, 2)))
const toRawJson = fn(1, (call) => json(call))

export const ENCODINGS: Readonly<Record<string, TemplateFunction>> = {
  toJson,
  mustToJson: toJson,
  toPrettyJson,
  mustToPrettyJson: toPrettyJson,
  toRawJson,
  mustToRawJson: toRawJson,
  fromJson: fn(1, (call) => parseJson(call) ?? null),
  mustFromJson: fn(1, (call) => {
    const value = parseJson(call)
    if (value === undefined) throw new Fault(place(call, 0), 'not JSON')
    return value
  }),
  b64enc: fn(1, (call) => Buffer.from(textArg(call, 0)).toString('base64')),
  b64dec: fn(1, (call) => {
    const text = textArg(call, 0)
    if (!BASE64.test(text)) throw new Fault(place(call, 0), 'not base64')
    return Buffer.from(text, 'base64').toString()
  }),
  b32enc: fn(1, (call) => toBase32(Buffer.from(costly(call)))),
  b32dec: fn(1, (call) => fromBase32(call, costly(call))),
  sha1sum: fn(1, (call) => createHash('sha1').update(textArg(call, 0)).digest('hex')),
  sha256sum: fn(1, (call) => createHash('sha256').update(textArg(call, 0)).digest('hex')),
  adler32sum: fn(1, (call) => adler32(Buffer.from(textArg(call, 0)))),
}

/** Keys in order, as Go writes them. */
function json(call: Call, indent = 0): string {
  let chars = 0
  const plain = (value: Value, depth: number): unknown => {
    charge(call.budget, 2, call.at)
    if (typeof value === 'string') chars += value.length
    if (chars > LIMITS.textChars) chargeText(call.budget, chars, call.at)
    if (depth > LIMITS.dataDepth) throw new Fault(call.at, 'the value is nested too deeply')
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new Fault(call.at, 'the number has no JSON form')
    if (isList(value)) return value.map((item) => plain(item, depth + 1))
    if (!isDict(value)) return value
    return new Map(sortedEntries(value).map(([key, item]) => [key, plain(item, depth + 1)]))
  }
  const text = write(plain(arg(call, 0), 0), indent, '')
  chargeText(call.budget, text.length, call.at)
  return text
}

/** By hand: an object would put keys that are numbers first. */
function write(value: unknown, indent: number, margin: string): string {
  const inner = margin + ' '.repeat(indent)
  const [open, close] = indent > 0 ? [`\n${inner}`, `\n${margin}`] : ['', '']
  const isEmpty = Array.isArray(value)
    ? value.length === 0
    : value instanceof Map && value.size === 0
  if (Array.isArray(value)) {
    const items = value.map((item) => write(item, indent, inner))
    return isEmpty ? '[]' : `[${open}${items.join(`,${open}`)}${close}]`
  }
  if (!(value instanceof Map)) return JSON.stringify(value)
  const colon = indent > 0 ? ': ' : ':'
  const items = [...value].map(
    ([key, item]) => JSON.stringify(key) + colon + write(item, indent, inner),
  )
  return isEmpty ? '{}' : `{${open}${items.join(`,${open}`)}${close}}`
}

function escapeHtml(text: string): string {
  return text.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Undefined for what is not JSON. */
function parseJson(call: Call): Value | undefined {
  const text = textArg(call, 0)
  charge(call.budget, Math.ceil(text.length / 4), call.at)
  try {
    return copyData(JSON.parse(text))
  } catch (error) {
    if (error instanceof Fault) throw new Fault(call.at, error.message, { cause: error })
    return undefined
  }
}

/** A text that is worked on bit by bit. */
function costly(call: Call): string {
  const text = textArg(call, 0)
  charge(call.budget, text.length * 2, call.at)
  return text
}

function toBase32(bytes: Buffer): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  const digits = (bits.match(/.{1,5}/g) ?? []).map((group) =>
    BASE32.charAt(parseInt(group.padEnd(5, '0'), 2)),
  )
  return digits.join('').padEnd(Math.ceil(digits.length / 8) * 8, '=')
}

function fromBase32(call: Call, text: string): string {
  const digits = text.slice(0, text.indexOf('=') === -1 ? undefined : text.indexOf('='))
  const isWhole =
    /^=*$/.test(text.slice(digits.length)) &&
    text.length % 8 === 0 &&
    text.length - digits.length < 7 &&
    [0, 2, 4, 5, 7].includes(digits.length % 8)
  if (!isWhole || !/^[A-Z2-7]*$/.test(digits)) throw new Fault(place(call, 0), 'not base32')
  const bits = Array.from(digits, (digit) =>
    BASE32.indexOf(digit).toString(2).padStart(5, '0'),
  ).join('')
  const bytes = (bits.match(/.{8}/g) ?? []).map((group) => parseInt(group, 2))
  return Buffer.from(bytes).toString()
}

function adler32(bytes: Buffer): string {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return String(b * 65_536 + a)
}
