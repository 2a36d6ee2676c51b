import { isIP } from 'node:net'
import type { FlagTable } from './flag.js'
import { checked, list, quote, text, type Kind } from './kinds.js'

export interface BasicAuth {
  user: string
  password: string
}

/** `user:password`, split at the first colon. Errors never show it. */
const basicAuth: Kind<BasicAuth> = {
  ...checked(text, (value) => {
    const at = value.indexOf(':')
    if (at < 0) throw new Error("invalid basic auth format: expected 'username:password'")
    const [user, password] = [value.slice(0, at), value.slice(at + 1)]
    if (user === '' || password === '')
      throw new Error('basic auth username and password cannot be empty')
    return { user, password }
  }),
  placeholder: 'USER:PASSWORD',
}

/** Names that stand for well-known networks. */
const NETWORKS = ['loopback', 'linklocal', 'uniquelocal']

/** Addresses and networks of proxies. */
const networks: Kind<string[]> = checked(list, (values) =>
  values.map((value) => {
    const [address = '', bits] = value.split('/')
    const family = isIP(address)
    const max = family === 4 ? 32 : 128
    const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= max)
    if (NETWORKS.includes(value) || (family !== 0 && isNetwork)) return value
    throw new Error(
      `expected an address, a network such as 10.0.0.0/8, or ${NETWORKS.join(', ')}; got ${quote(value)}`,
    )
  }),
)

const group = 'Access'

/** Who may use a server. */
export const AUTH_FLAGS = {
  'basic-auth': {
    kind: basicAuth,
    env: 'CI_BASIC_AUTH',
    doc: 'username:password that protects the server',
    group,
  },
  'trusted-proxies': {
    kind: networks,
    env: 'CI_TRUSTED_PROXIES',
    doc: 'proxies whose X-Forwarded-For says where a request comes from: addresses, networks, loopback',
    group,
  },
} as const satisfies FlagTable
