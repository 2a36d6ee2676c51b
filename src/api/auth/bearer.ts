import type { Request } from 'express'
import type { Actor } from '../../shared/authorize.js'
import { AppError } from '../../shared/errors.js'
import type { TokenReader } from './tokens.js'

const PREFIX = 'Bearer '

/**
 * Whom the bearer token of a request stands for; undefined when it has none. Throws `authentication_failed`
 * for one that is no good: whoever sends a token means it, and nothing beside it makes up for that. Bad ones
 * are not counted: nobody guesses a token, and one that has ended must not shut out a whole network.
 */
export async function identifyBearer(
  { headers: { authorization = '' } }: Request,
  tokenReader: TokenReader,
): Promise<Actor | undefined> {
  if (!authorization.startsWith(PREFIX)) return undefined
  const actor = await tokenReader.identify(authorization.slice(PREFIX.length))
  if (actor) return actor
  throw new AppError('authentication_failed', 'invalid or expired token')
}
