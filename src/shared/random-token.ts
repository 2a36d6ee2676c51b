import { createHash, randomBytes } from 'node:crypto'

/** More than anybody guesses. */
const TOKEN_BYTES = 32

/** A secret that is handed out once: whoever knows it is let in. For URLs and headers as it is. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** What is kept of a token. Tokens are random, so a plain hash hides them; looking one up by it leaks no part of it. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
