import { posix } from 'node:path'
import { Fault } from '../../source-fault.js'
import { formatValue } from '../format-value.js'
import type { Dict } from '../values.js'
import { type Call, dictArg, fn, place, type TemplateFunction, textArg } from './call.js'

const base = fn(1, (call) => baseOf(textArg(call, 0)))
const dir = fn(1, (call) => {
  const path = textArg(call, 0)
  return clean(path.slice(0, path.lastIndexOf('/') + 1))
})
const cleaned = fn(1, (call) => clean(textArg(call, 0)))
const ext = fn(1, (call) => {
  const path = textArg(call, 0)
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name.includes('.') ? name.slice(name.lastIndexOf('.')) : ''
})
const isAbs = fn(1, (call) => textArg(call, 0).startsWith('/'))

/** The server is no Windows: `os…` are the same. */
export const PATHS: Readonly<Record<string, TemplateFunction>> = {
  base,
  osBase: base,
  dir,
  osDir: dir,
  clean: cleaned,
  osClean: cleaned,
  ext,
  osExt: ext,
  isAbs,
  osIsAbs: isAbs,
  urlParse: fn(1, parseUrl),
  urlJoin: fn(1, joinUrl),
}

function clean(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

function baseOf(path: string): string {
  if (path === '') return '.'
  return posix.basename(path) || '/'
}

const URL_PARTS =
  /^(?:([a-zA-Z][a-zA-Z\d+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#([^]*))?$/

function parseUrl(call: Call): Dict {
  const [, scheme = '', authority, path = '', query = '', fragment = ''] =
    URL_PARTS.exec(textArg(call, 0)) ?? []
  const at = (authority ?? '').lastIndexOf('@')
  const host = (authority ?? '').slice(at + 1)
  const isOpaque = scheme !== '' && authority === undefined && !path.startsWith('/')
  return new Map([
    ['scheme', scheme.toLowerCase()],
    ['host', host],
    ['hostname', host.replace(/:\d*$/, '').replace(/^\[|\]$/g, '')],
    ['path', isOpaque ? '' : decode(call, path)],
    ['query', query],
    ['opaque', isOpaque ? path : ''],
    ['fragment', decode(call, fragment)],
    ['userinfo', (authority ?? '').slice(0, Math.max(0, at))],
  ])
}

function decode(call: Call, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new Fault(place(call, 0), 'not a URL', { cause: error })
  }
}

function joinUrl(call: Call): string {
  const parts = dictArg(call, 0)
  const part = (name: string): string => {
    const value = parts.get(name) ?? ''
    if (typeof value !== 'string')
      throw new Fault(place(call, 0), `${name} is to be a text, not ${formatValue(value, call)}`)
    return value
  }
  const user = part('userinfo') === '' ? '' : `${part('userinfo')}@`
  const host = part('host') === '' && user === '' ? '' : `//${user}${part('host')}`
  const path = encodeURI(part('path').toWellFormed()).replace(/[?#]/g, encodeURIComponent)
  const slash = host !== '' && path !== '' && !path.startsWith('/') ? '/' : ''
  return [
    part('scheme') === '' ? '' : `${part('scheme')}:`,
    part('opaque') === '' ? host + slash + path : part('opaque'),
    part('query') === '' ? '' : `?${part('query')}`,
    part('fragment') === '' ? '' : `#${encodeURI(part('fragment').toWellFormed())}`,
  ].join('')
}
