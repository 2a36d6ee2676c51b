import type { Config } from '../../shared/config/config.js'
import type { Users } from '../../shared/db/users.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { ApiWrites } from '../writes.js'
import { deriveAuthKeys, type AuthKeys } from './keys.js'
import { listProviders } from './providers/list-providers.js'
import type { Provider } from './providers/provider.js'
import { createSessions, type Sessions } from './sessions.js'

/** What signing in through providers is made of. */
export interface SignIn {
  /** In the order of the sign-in page; at least one. */
  providers: Provider[]
  sessions: Sessions
  keys: AuthKeys
  /** This server as browsers see it, without a slash at its end. */
  baseUrl: string
  isSecure: boolean
}

export interface SignInOptions {
  config: Config
  users: Users
  writer: WriterClient<ApiWrites>
  now: () => number
}

/** Undefined when no provider is set up. */
export function createSignIn({ config, users, writer, now }: SignInOptions): SignIn | undefined {
  const { oauth } = config.auth
  if (!oauth) return undefined
  const { sessionSecret, isSecure, callbackUrl: baseUrl } = oauth
  const keys = deriveAuthKeys(sessionSecret)
  const sessions = createSessions({ ...{ users, writer, isSecure, now }, key: keys.sessions })
  return { providers: listProviders(oauth, now), sessions, keys, baseUrl, isSecure }
}
