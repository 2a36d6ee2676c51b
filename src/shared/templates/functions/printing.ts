import { charge, chargeText } from '../budget.js'
import { formatValue } from '../format-value.js'
import { sprintf } from '../printf.js'
import type { Value } from '../values.js'
import { type Call, fn, type TemplateFunction, textArg } from './call.js'

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\u0000': '\ufffd',
}
const ANY: [number, number] = [0, Infinity]

export const PRINTING: Readonly<Record<string, TemplateFunction>> = {
  print: fn(ANY, (call) => sprint(call)),
  println: fn(ANY, (call) => `${texts(call).join(' ')}\n`),
  printf: fn([1, Infinity], (call) => sprintf(textArg(call, 0), call.values.slice(1), call)),
  // oxlint-disable-next-line no-control-regex -- NUL is not allowed in HTML
  html: fn([1, Infinity], (call) => escaped(call, /[&<>"'\u0000]/g, (char) => HTML[char] ?? char)),
  js: fn([1, Infinity], (call) =>
    // oxlint-disable-next-line no-control-regex -- these are what is to be escaped
    escaped(call, /[\\'"<>&=\u0000-\u001f\u007f\u2028\u2029]/g, escapeJs),
  ),
  urlquery: fn([1, Infinity], (call) => urlQuery(call)),
}

function texts(call: Call): string[] {
  let chars = 0
  return call.values.map((value) => {
    const text = formatValue(value, call)
    chars += text.length
    chargeText(call.budget, chars, call.at)
    return text
  })
}

/** With a space between two values of which neither is a text. */
function sprint(call: Call): string {
  const isText = (value: Value | undefined): boolean => typeof value === 'string'
  return texts(call)
    .map((text, index) => {
      const isParted = index > 0 && !isText(call.values[index]) && !isText(call.values[index - 1])
      return isParted ? ` ${text}` : text
    })
    .join('')
}

function escaped(call: Call, characters: RegExp, escape: (char: string) => string): string {
  const text = sprint(call)
  charge(call.budget, Math.ceil(text.length / 4), call.at)
  return text.replace(characters, escape)
}

function escapeJs(char: string): string {
  if ('\\\'"'.includes(char)) return `\\${char}`
  return `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
}

function urlQuery(call: Call): string {
  const text = sprint(call)
  charge(call.budget, text.length, call.at)
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
