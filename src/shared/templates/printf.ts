import { countCharacters, sliceCharacters } from '../characters.js'
import { chargeText } from './budget.js'
import { formatItems, formatNumber, formatValue, goExponent, type Paying } from './format-value.js'
import { goType, isDict, isList, type Value } from './values.js'

const VERB = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(.|$)/gsu

/** Widths and precisions beyond this are faults of the template, not wishes. */
const MAX_WIDTH = 1_000

interface Spec {
  flags: string
  width: number | undefined
  precision: number | undefined
  verb: string
}

/** Go's Sprintf. A fault of the format shows in the text, as there: `%!d(string=x)`. */
export function sprintf(format: string, values: readonly Value[], paying: Paying): string {
  let next = 0
  let chars = 0
  const take = (): Value | undefined => values[next++]
  const text = format.replace(
    VERB,
    (_all, flags: string, width: string, precision: string, verb: string) => {
      const spec = {
        flags,
        width: sizeOf(width, take),
        precision: precision === '' ? 0 : sizeOf(precision, take),
        verb,
      }
      const part = formatVerb(spec, take, { isLeft: () => next < values.length, paying })
      chars += part.length
      chargeText(paying.budget, chars, paying.at)
      return part
    },
  )
  if (next >= values.length) return text
  const extra = values.slice(next).map((value) => `${goType(value)}=${formatValue(value, paying)}`)
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function sizeOf(text: string | undefined, take: () => Value | undefined): number | undefined {
  if (text === undefined) return undefined
  const size = text === '*' ? take() : Number(text)
  return typeof size === 'number' && size >= 0 ? Math.min(size, MAX_WIDTH) : undefined
}

function formatVerb(
  spec: Spec,
  take: () => Value | undefined,
  { isLeft, paying }: { isLeft: () => boolean; paying: Paying },
): string {
  if (spec.verb === '%') return '%'
  if (spec.verb === '') return '%!(NOVERB)'
  if (!isLeft()) return `%!${spec.verb}(MISSING)`
  return formatOne(spec, take() ?? null, paying, 0)
}

function formatOne(spec: Spec, value: Value, paying: Paying, depth: number): string {
  if (spec.verb === 'T') return pad(spec, goType(value))
  if (value === null) return spec.verb === 'v' ? pad(spec, '<nil>') : `%!${spec.verb}(<nil>)`
  if (isList(value) || isDict(value))
    return formatItems(value, (item) => formatOne(spec, item, paying, depth + 1), {
      ...paying,
      depth,
    })
  const text = formatScalar(spec, value)
  return text === undefined
    ? `%!${spec.verb}(${goType(value)}=${formatValue(value, paying)})`
    : pad(spec, text)
}

/** Undefined when the verb is not for such a value. */
function formatScalar(spec: Spec, value: boolean | number | string): string | undefined {
  if (typeof value === 'string') return formatText(spec, value)
  if (typeof value === 'boolean')
    return spec.verb === 't' || spec.verb === 'v' ? String(value) : undefined
  const text = Number.isInteger(value) ? formatInteger(spec, value) : undefined
  return text ?? formatFloat(spec, value)
}

function formatText({ verb, precision, flags }: Spec, value: string): string | undefined {
  const cut = precision === undefined ? value : sliceCharacters(value, 0, precision)
  switch (verb) {
    case 'v':
    case 's':
      return cut
    case 'q':
      return flags.includes('#') && !cut.includes('`') ? `\`${cut}\`` : quoteGo(cut)
    case 'x':
      return Buffer.from(cut).toString('hex')
    case 'X':
      return Buffer.from(cut).toString('hex').toUpperCase()
    default:
      return undefined
  }
}

function formatInteger(spec: Spec, value: number): string | undefined {
  const radix = { d: 10, v: 10, b: 2, o: 8, x: 16, X: 16 }[spec.verb]
  if (radix !== undefined) {
    const digits = BigInt(Math.abs(value))
      .toString(radix)
      .padStart(spec.precision ?? 0, '0')
    const prefix = spec.flags.includes('#')
      ? ({ x: '0x', X: '0X', o: '0', b: '0b' }[spec.verb] ?? '')
      : ''
    return signOf(spec, value) + prefix + (spec.verb === 'X' ? digits.toUpperCase() : digits)
  }
  const isCharacter = value >= 0 && value <= 0x10ffff
  if (spec.verb === 'c') return isCharacter ? String.fromCodePoint(value) : '\ufffd'
  if (spec.verb === 'q') return `'${isCharacter ? String.fromCodePoint(value) : '\ufffd'}'`
  if (spec.verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
  return undefined
}

function formatFloat(spec: Spec, value: number): string | undefined {
  const size = Math.abs(value)
  const precision = Math.min(spec.precision ?? 6, 100)
  const sign = signOf(spec, value)
  if (!Number.isFinite(value))
    return 'feEgGFv'.includes(spec.verb) ? formatNumber(value) : undefined
  switch (spec.verb) {
    case 'f':
    case 'F':
      return sign + fixed(size, precision)
    case 'e':
      return sign + goExponent(size.toExponential(precision))
    case 'E':
      return sign + goExponent(size.toExponential(precision)).toUpperCase()
    case 'g':
    case 'G':
    case 'v':
      return (
        sign +
        formatNumber(
          spec.precision === undefined ? size : Number(size.toPrecision(Math.max(1, precision))),
        )
      )
    default:
      return undefined
  }
}

/** Ties go to the even digit, as in Go; toFixed takes the larger. */
function fixed(size: number, precision: number): string {
  if (size >= 1e21) return `${BigInt(size)}${precision > 0 ? `.${'0'.repeat(precision)}` : ''}`
  const more = Math.min(100, precision + 30)
  const exact = size.toFixed(more)
  const cut = exact.slice(0, exact.length - (more - precision)).replace(/\.$/, '')
  const isTie = /^50*$/.test(exact.slice(exact.length - (more - precision)))
  return isTie && /[02468]$/.test(cut) ? cut : size.toFixed(precision)
}

function signOf({ flags }: Spec, value: number): string {
  if (value < 0) return '-'
  if (flags.includes('+')) return '+'
  return flags.includes(' ') ? ' ' : ''
}

function pad({ flags, width = 0, verb }: Spec, text: string): string {
  const missing = width - countCharacters(text)
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  if (!flags.includes('0') || 'sqTv'.includes(verb)) return ' '.repeat(missing) + text
  const sign = /^[+-]/.test(text) ? text.charAt(0) : ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

const QUOTED: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
}

/** A text between double quotes, as Go writes it. */
export function quoteGo(text: string): string {
  const inside = text.replace(
    // oxlint-disable-next-line no-control-regex -- these are what is to be escaped
    /["\\\u0000-\u001f\u007f]/g,
    (char) => QUOTED[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `"${inside}"`
}
