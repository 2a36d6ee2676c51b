import type { Request, Response } from 'express'
import type { Config } from '../../shared/config/config.js'
import type { Actor } from '../../shared/authorize.js'
import { createBasicAccess } from './basic-access.js'

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

export function createAccess({ config, now }: { config: Config; now: () => number }): Access {
  const { basic } = config.auth
  if (basic) return createBasicAccess(basic, now)
  return { identify: () => ({ kind: 'anonymous' }) }
}
