import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Request, Response } from 'express'
import type { Profile, User, Users } from '../../shared/db/users.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import { hashToken, newToken } from '../../shared/random-token.js'
import type { ApiWrites } from '../writes.js'
import { readCookie, setCookie } from './cookies.js'

const NAME = 'pocketci_session'
const LIFE_MS = 86_400_000

/** Who is signed in where. A browser holds a random token, the database its hash. */
export interface Sessions {
  find(request: Request): User | undefined
  /** Signs somebody in, with a token that nobody had before; what this browser had is over. */
  begin(request: Request, response: Response, profile: Profile): Promise<User>
  end(request: Request, response: Response): Promise<void>
  /** Ends all that was handed out to a user, in every browser and command line. */
  endAll(response: Response, user: User): Promise<void>
}

export interface SessionsOptions {
  users: Users
  writer: WriterClient<ApiWrites>
  /** Signs the cookies, so that no made-up token is looked for. */
  key: Buffer
  isSecure: boolean
  now: () => number
}

export function createSessions({ users, writer, key, isSecure, now }: SessionsOptions): Sessions {
  const readToken = (request: Request): string | undefined => {
    const [token = '', signature = ''] = (readCookie(request, NAME) ?? '').split('.')
    return isSigned(key, token, signature) ? token : undefined
  }
  const write = (response: Response, value: string, maxAgeMs: number): void =>
    setCookie(response, NAME, value, { path: '/', maxAgeMs, isSecure })

  return {
    find(request) {
      const token = readToken(request)
      return token === undefined ? undefined : users.findBySession(hashToken(token), now())
    },
    async begin(request, response, profile) {
      const [token, former] = [newToken(), readToken(request)]
      const user = await writer.write('signIn', {
        profile,
        tokenHash: hashToken(token),
        formerHash: former === undefined ? undefined : hashToken(former),
        expiresAt: now() + LIFE_MS,
        now: now(),
      })
      write(response, `${token}.${sign(key, token)}`, LIFE_MS)
      return user
    },
    async end(request, response) {
      const token = readToken(request)
      if (token !== undefined) await writer.write('signOut', { tokenHash: hashToken(token) })
      write(response, '', 0)
    },
    async endAll(response, { id }) {
      await writer.write('signOutEverywhere', { user: id })
      write(response, '', 0)
    },
  }
}

function sign(key: Buffer, token: string): string {
  return createHmac('sha256', key).update(token).digest('base64url')
}

function isSigned(key: Buffer, token: string, signature: string): boolean {
  const [wanted, given] = [Buffer.from(sign(key, token)), Buffer.from(signature)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
