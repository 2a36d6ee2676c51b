import type { Environment, FlagTable, ValuesOf } from '../config/flag.js'
import { path, text, type Kind } from '../config/kinds.js'
import { authConfigFile, findSavedToken } from './auth-config.js'

const group = 'Connection'

/** An URL may hold a password: it is in no error. */
const serverUrl: Kind<string> = {
  ...text,
  parse: (texts) => {
    const url = text.parse(texts)
    if (/^https?:\/\/./i.test(url) && URL.canParse(url)) return url
    throw new Error('expected an http:// or https:// URL')
  },
}

export const CONNECTION_FLAGS = {
  'server-url': {
    kind: serverUrl,
    short: 's',
    env: 'CI_SERVER_URL',
    required: true,
    doc: 'base URL of the server; may hold user:password@',
    group,
  },
  'auth-token': {
    kind: text,
    short: 't',
    env: 'CI_AUTH_TOKEN',
    doc: 'bearer token',
    group,
  },
  'config-file': {
    kind: path,
    short: 'c',
    env: 'CI_AUTH_CONFIG',
    defaultText: '~/.pocketci/auth.config',
    doc: 'file of saved tokens',
    group,
  },
} as const satisfies FlagTable

/** How to reach a server and who to be there. */
export interface Connection {
  /** Without credentials and without a slash at its end: safe to show. */
  url: string
  authorization: string | undefined
}

/** A token, given or saved, replaces the user and password of the URL. */
export function toConnection(
  flags: ValuesOf<typeof CONNECTION_FLAGS>,
  env: Environment,
): Connection {
  const { username, password } = new URL(flags['server-url'])
  // by text, not through URL: saved tokens are found by the address exactly as it was written
  const url = flags['server-url'].replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1').replace(/\/+$/, '')
  const file = flags['config-file'] ?? authConfigFile(env)
  const token = flags['auth-token'] ?? findSavedToken(file, url)
  if (token) return { url, authorization: `Bearer ${token}` }
  if (!username && !password) return { url, authorization: undefined }
  const credentials = `${decode(username)}:${decode(password)}`
  return { url, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

/** URL keeps a lone % as it is; then it means itself. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
