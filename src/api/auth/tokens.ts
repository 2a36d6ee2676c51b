import type { Actor } from '../../shared/authorize.js'
import { errorMessage } from '../../shared/errors.js'
import type { Logger } from '../../shared/logger.js'
import { hashToken } from '../../shared/random-token.js'
import type { Token, Tokens } from '../../shared/db/tokens.js'
import type { User, Users } from '../../shared/db/users.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { ApiWrites } from '../writes.js'
import { signJwt, verifyJwt } from './jwt.js'

/** How people and programs see at once what they have before them. */
export const TOKEN_PREFIX = 'pci_'

const AUDIENCE = 'api'

/** When a token was last used is not worth a write each time. */
const TOUCH_MS = 60_000

/** Finds out whom a bearer token stands for. */
export interface TokenReader {
  /** Undefined for a token that is no good, over or revoked. */
  identify(bearer: string): Promise<Actor | undefined>
}

export interface TokenReaderOptions {
  tokens: Tokens
  users: Users
  writer: WriterClient<ApiWrites>
  /** That of signed tokens; undefined: there are none. */
  key: Buffer | undefined
  logger: Logger
  now: () => number
}

export function createTokenReader(options: TokenReaderOptions): TokenReader {
  const { tokens, users, writer, key, logger, now } = options
  const toActor = ({ owner, scopes }: Token): Actor | undefined => {
    const limit = scopes && { scopes }
    if (owner.kind === 'basic') return { kind: 'basic', user: owner.user, ...limit }
    const user = users.find(owner.id)
    return user && { kind: 'user', user, ...limit }
  }
  return {
    async identify(bearer) {
      const token = bearer.startsWith(TOKEN_PREFIX)
        ? tokens.findByHash(hashToken(bearer), now())
        : key && (await findSigned(tokens, { bearer, key, now: now() }))
      if (!token) return undefined
      if (now() - (token.lastUsedAt ?? 0) > TOUCH_MS)
        void writer
          .write('touchToken', { id: token.id, now: now() })
          .catch((error: unknown) =>
            logger.warn({ reason: errorMessage(error) }, 'the use of a token was not noted'),
          )
      return toActor(token)
    },
  }
}

/** A token of a command line that has signed in: its row has the id that the token names. */
export async function signToken(key: Buffer, token: Token, user: User): Promise<string> {
  const { id, createdAt, expiresAt } = token
  return await signJwt(key, { audience: AUDIENCE, id, user, createdAt, expiresAt })
}

async function findSigned(
  tokens: Tokens,
  { bearer, key, now }: { bearer: string; key: Buffer; now: number },
): Promise<Token | undefined> {
  const id = await verifyJwt(key, { bearer, audience: AUDIENCE, now })
  const token = id === undefined ? undefined : tokens.find(id, now)
  return token?.kind === 'login' ? token : undefined
}
