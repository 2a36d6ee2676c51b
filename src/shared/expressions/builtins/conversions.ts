import { errorMessage } from '../../errors.js'
import { jsonOf, textOf } from '../export-value.js'
import { Fault } from '../../source-fault.js'
import { charge, chargeNewText } from '../frame.js'
import { isDict, isList, typeName, type Value } from '../values.js'
import { arg, type Builtin, builtin, type Call, place, textArg, wrongArg } from './call.js'

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

export const CONVERSIONS: Readonly<Record<string, Builtin>> = {
  int: builtin('number|string', 'number', toInteger),
  float: builtin('number|string', 'number', toFloat),
  string: builtin('any', 'string', (call) => textOf(call.frame, arg(call, 0), call.at)),
  type: builtin('any', 'string', (call) => goTypeName(arg(call, 0))),
  toJSON: builtin('any', 'string', toJson),
  fromJSON: builtin('string', 'any', fromJson),
  toBase64: builtin('string', 'string', (call) => {
    const text = textArg(call, 0)
    chargeNewText(call.frame, text.length * 4, call.at)
    return Buffer.from(text).toString('base64')
  }),
  fromBase64: builtin('string', 'string', fromBase64),
}

/** Cuts a fraction off; reads decimal digits. */
function toInteger(call: Call): Value {
  const value = arg(call, 0)
  if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value) + 0
  if (typeof value === 'number') throw new Fault(place(call, 0), 'not an integer')
  if (typeof value !== 'string') throw wrongArg(call, 0, 'number or string')
  const number = Number(value)
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new Fault(place(call, 0), `${quote(value)} is not an integer`)
  return number
}

function toFloat(call: Call): Value {
  const value = arg(call, 0)
  if (typeof value === 'number') return value
  if (typeof value !== 'string') throw wrongArg(call, 0, 'number or string')
  const number = Number(value)
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value) || !Number.isFinite(number))
    throw new Fault(place(call, 0), `${quote(value)} is not a number`)
  return number
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

/** The names that expr-lang uses. */
function goTypeName(value: Value): string {
  if (isList(value)) return 'array'
  if (isDict(value)) return 'map'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return typeName(value)
}

/** Indented by two spaces, keys in order, `<`, `>` and `&` escaped: as expr-lang writes it. */
function toJson(call: Call): Value {
  const text = jsonOf(call.frame, arg(call, 0), call.at, 2)
  const escaped = text.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  chargeNewText(call.frame, escaped.length, call.at)
  return escaped
}

function fromJson(call: Call): Value {
  const text = textArg(call, 0)
  chargeNewText(call.frame, text.length, call.at)
  charge(call.frame, Math.ceil(text.length / 4), call.at)
  try {
    return JSON.parse(text) as Value
  } catch (error) {
    throw new Fault(place(call, 0), `not JSON: ${errorMessage(error)}`, { cause: error })
  }
}

/** Standard base64 of UTF-8. */
function fromBase64(call: Call): Value {
  const text = textArg(call, 0)
  chargeNewText(call.frame, text.length, call.at)
  if (!BASE64.test(text)) throw new Fault(place(call, 0), 'not base64')
  return Buffer.from(text, 'base64').toString()
}
