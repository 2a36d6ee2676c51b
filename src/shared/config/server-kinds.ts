import { resolve } from 'node:path'
import { isReservedSecret } from '../secrets/reserved.js'
import { parseEngineAddress } from '../docker/engine-address.js'
import { DRIVERS, FEATURES, type DriverName, type Feature } from './config.js'
import {
  checked,
  filledText,
  list,
  pairs,
  path as filePath,
  quote,
  text,
  type Kind,
} from './kinds.js'

export const driverName: Kind<DriverName> = {
  ...checked(text, (name) => knownDriver(name)),
  completes: DRIVERS,
}

/** `['*']` for all; it wins over names beside it. */
export const allowedDrivers: Kind<string[]> = checked(list, (names) => {
  if (names.includes('*')) return ['*']
  if (names.length === 0) throw new Error(`no driver is allowed; ${knownDrivers()}`)
  return [...new Set(names.map((name) => knownDriver(name)))]
})

/** A list that holds `*` means all, whatever is beside it. */
export const features: Kind<Feature[]> = checked(list, (names) => {
  const found = names.filter((name) => name !== '*').map((name) => knownFeature(name))
  return names.includes('*') ? [...FEATURES] : [...new Set(found)]
})

/** The file's absolute path. */
export const storageFile: Kind<string> = checked(filePath, (path) => {
  if (path.startsWith(':memory:') || path.startsWith('file:'))
    throw new Error(
      `${quote(path)} is not a file: the server's processes share the database, so give a path`,
    )
  return resolve(path)
})

/** Of a Docker engine. */
export const dockerHost: Kind<string> = checked(filledText, (host) => {
  parseEngineAddress(host)
  return host
})

export interface GlobalSecret {
  key: string
  value: string
}

/** Of a text without `=` nothing tells whether it is a key or a value: only a plain key is shown. */
export const globalSecrets: Kind<GlobalSecret[]> = checked(pairs, (texts) =>
  texts.map((given) => {
    const at = given.indexOf('=')
    const key = at < 0 ? given : given.slice(0, at)
    if (at < 1) {
      const shown = /^[A-Z][A-Z0-9_]{0,63}$/.test(key) ? key : '***'
      throw new Error(`invalid --secret flag "${at === 0 ? '' : shown}": expected KEY=VALUE format`)
    }
    if (isReservedSecret(key))
      throw new Error(
        `secret key ${quote(key)} is reserved for system use and cannot be set via --secret`,
      )
    return { key, value: given.slice(at + 1) }
  }),
)

function knownDriver(name: string): DriverName {
  const found = DRIVERS.find((known) => known === name)
  if (found) return found
  throw new Error(`unknown driver ${quote(name)}; ${knownDrivers()}`)
}

function knownDrivers(): string {
  return `known drivers: ${DRIVERS.join(', ')}`
}

function knownFeature(name: string): Feature {
  const found = FEATURES.find((known) => known === name)
  if (found) return found
  throw new Error(`unknown feature ${quote(name)}; known features: ${FEATURES.join(', ')}`)
}
