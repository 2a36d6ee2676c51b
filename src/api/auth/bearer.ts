import type { Request } from 'express'
import type { Actor } from '../../shared/authorize.js'
import { AppError } from '../../shared/errors.js'
import type { AttemptLimit } from './attempt-limit.js'
import type { TokenReader } from './tokens.js'

const PREFIX = 'Bearer '

/**
 * Whom the bearer token of a request stands for; undefined when it has none. Throws `authentication_failed`
 * for one that is no good: whoever sends a token means it, and nothing beside it makes up for that.
 */
export async function identifyBearer(
  { headers, ip = '' }: Request,
  { tokenReader, limit }: { tokenReader: TokenReader; limit: AttemptLimit },
): Promise<Actor | undefined> {
  const { authorization = '' } = headers
  if (!authorization.startsWith(PREFIX)) return undefined
  limit.check(ip)
  const actor = await tokenReader.identify(authorization.slice(PREFIX.length))
  if (actor) return actor
  limit.fail(ip)
  throw new AppError('authentication_failed', 'invalid or expired token')
}
