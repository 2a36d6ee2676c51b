import type { Request, Response } from 'express'
import type { Actor } from '../../shared/authorize.js'
import type { Config } from '../../shared/config/config.js'
import { AppError } from '../../shared/errors.js'
import { isSameSecret } from '../../shared/same-secret.js'
import type { Access } from './access.js'
import { createAttemptLimit } from './attempt-limit.js'
import { identifyBearer } from './bearer.js'
import type { TokenReader } from './tokens.js'

/** One user and one password, which browsers ask for by themselves and the command line has in its URL. */
export function createBasicAccess(
  { user, password }: NonNullable<Config['auth']['basic']>,
  { tokenReader, now }: { tokenReader: TokenReader; now: () => number },
): Access {
  const limit = createAttemptLimit({ now })
  return {
    async identify(request, response): Promise<Actor> {
      const bearer = await identifyBearer(request, tokenReader)
      // those of a user that the server had before are nobody's
      if (bearer) return bearer.kind === 'basic' && bearer.user === user ? bearer : refuse(response)
      const given = readCredentials(request)
      if (given === undefined) return { kind: 'anonymous' }
      const address = request.ip ?? ''
      limit.check(address)
      if (isSameSecret(given, `${user}:${password}`)) return { kind: 'basic', user }
      limit.fail(address)
      return refuse(response)
    },
    challenge(_request, response) {
      response.setHeader('WWW-Authenticate', CHALLENGE)
      throw new AppError('authentication_required', 'Unauthorized')
    },
  }
}

function refuse(response: Response): never {
  response.setHeader('WWW-Authenticate', CHALLENGE)
  throw new AppError('authentication_failed', 'Unauthorized')
}

/** The realm that clients may have remembered credentials for. */
const CHALLENGE = 'basic realm="Restricted"'

/** `user:password`; undefined when the request has none. */
function readCredentials({ headers: { authorization = '' } }: Request): string | undefined {
  const [scheme, encoded = ''] = /^basic(?:$| +(.*))/i.exec(authorization) ?? []
  if (scheme === undefined) return undefined
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && encoded.length % 4 === 0
  const text = isBase64 ? Buffer.from(encoded, 'base64').toString('utf8') : ''
  if (text.includes(':')) return text
  throw new AppError('request_invalid', 'the Authorization header does not decode')
}
