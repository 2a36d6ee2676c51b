import type { Request, Response } from 'express'
import type { Config } from '../../shared/config/config.js'
import type { Actor } from '../../shared/authorize.js'
import type { SignIn } from './sign-in.js'
import type { TokenReader } from './tokens.js'
import { createBasicAccess } from './basic-access.js'
import { createOauthAccess } from './oauth-access.js'

/** How a server finds out who sends a request. */
export interface Access {
  /**
   * Who sends it; anonymous when it does not say. When what it says is no good it sets what belongs into
   * the headers of a refusal and throws `request_invalid`, `authentication_failed` or `too_many_attempts`.
   */
  identify(request: Request, response: Response): Actor | Promise<Actor>
  /**
   * Asks nobody in particular who they are, in place of what they wanted: answers, or throws
   * `authentication_required`. Absent: whoever comes may do everything.
   */
  challenge?(request: Request, response: Response): void
}

export interface AccessOptions {
  config: Config
  now: () => number
  /** Where people sign in through providers. */
  signIn: SignIn | undefined
  tokenReader: TokenReader
}

export function createAccess({ config, now, signIn, tokenReader }: AccessOptions): Access {
  const { basic } = config.auth
  if (basic) return createBasicAccess(basic, { tokenReader, now })
  if (signIn) return createOauthAccess(signIn, tokenReader)
  return { identify: () => ({ kind: 'anonymous' }) }
}
