import { jwtVerify, SignJWT } from 'jose'
import type { User } from '../../shared/db/users.js'

const ISSUER = 'pocketci'

interface SignOptions {
  /** Where it is good. */
  audience: string
  /** Of the row that it stands for. */
  id: string
  user: User
  createdAt: number
  expiresAt: number
  more?: Record<string, unknown>
}

export async function signJwt(key: Buffer, options: SignOptions): Promise<string> {
  const { audience, id, user, createdAt, expiresAt, more = {} } = options
  const { userId, email, name, nickName, provider } = user
  return await new SignJWT({ email, name, nick_name: nickName, provider, ...more })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuer(ISSUER)
    .setAudience([audience])
    .setJti(id)
    .setIssuedAt(Math.floor(createdAt / 1_000))
    .setExpirationTime(Math.floor(expiresAt / 1_000))
    .sign(key)
}

/** The id of the row that a token stands for; undefined for one that is no good here or now. */
export async function verifyJwt(
  key: Buffer,
  { bearer, audience, now }: { bearer: string; audience: string; now: number },
): Promise<string | undefined> {
  try {
    const { payload } = await jwtVerify(bearer, key, {
      algorithms: ['HS256'],
      issuer: ISSUER,
      audience,
      requiredClaims: ['jti', 'exp'],
      currentDate: new Date(now),
    })
    return payload.jti
  } catch {
    return undefined // whatever is wrong with it: the answer is the same
  }
}
