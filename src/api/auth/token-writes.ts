import { createDeviceLogins } from '../../shared/db/device-logins.js'
import type { Db } from '../../shared/db/open.js'
import { createTokens, type NewToken, type Token, type TokenOwner } from '../../shared/db/tokens.js'
import { createUsers, type User } from '../../shared/db/users.js'

/** Tokens of one owner that work at the same time. */
const MAX_TOKENS = 200
/** Command lines that wait at the same time: whoever asks for more gets none. */
const MAX_WAITING = 1_000
/** For so long somebody who polls is told that a code is over, and not that it is unknown. */
const EXPIRED_KEPT_MS = 3_600_000

/** What the api changes for tokens: a part of ApiWrites. */
export function createTokenOperations(db: Db) {
  const tokens = createTokens(db)
  const logins = createDeviceLogins(db)
  const users = createUsers(db)

  const addToken = (token: NewToken): boolean => {
    tokens.removeExpired(token.createdAt)
    if (tokens.count(token.owner, token.createdAt) >= MAX_TOKENS) return false
    tokens.insert(token)
    return true
  }

  return {
    /** False: its owner has too many. */
    addToken,

    removeToken: ({ owner, id }: { owner: TokenOwner; id: string }): boolean =>
      tokens.remove(owner, id),

    touchToken: ({ id, now }: { id: string; now: number }): void => tokens.touch(id, now),

    /** False: too many wait already. */
    beginDeviceLogin({ now, ...login }: BeginDeviceLogin): boolean {
      logins.removeExpired(now - EXPIRED_KEPT_MS)
      if (logins.count() >= MAX_WAITING) return false
      logins.insert(login)
      return true
    },

    approveDeviceLogin: ({ codeHash, user, now }: ApproveDeviceLogin): boolean =>
      logins.approve(codeHash, user, now),

    removeDeviceLogin: ({ codeHash }: { codeHash: Uint8Array }): boolean => logins.remove(codeHash),

    /** Ends a login that was approved and adds the token that it is given; once. */
    takeDeviceLogin({
      codeHash,
      token,
    }: TakeDeviceLogin): { token: Token; user: User } | undefined {
      const login = logins.find(codeHash)
      const user = login?.user ? users.find(login.user) : undefined
      if (!user || !logins.remove(codeHash)) return undefined
      const added: NewToken = {
        ...token,
        kind: 'login',
        owner: { kind: 'user', id: user.id },
        scopes: null,
        tokenHash: null,
      }
      if (!addToken(added)) return undefined
      return { token: { ...added, lastUsedAt: null }, user }
    },
  }
}

interface BeginDeviceLogin {
  codeHash: Uint8Array
  secretHash: Uint8Array | null
  address: string
  userAgent: string
  expiresAt: number
  now: number
}

interface ApproveDeviceLogin {
  codeHash: Uint8Array
  user: number
  now: number
}

interface TakeDeviceLogin {
  codeHash: Uint8Array
  token: Pick<NewToken, 'id' | 'name' | 'createdAt' | 'expiresAt'>
}
