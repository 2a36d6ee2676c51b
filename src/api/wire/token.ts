import type { Token } from '../../shared/db/tokens.js'
import { formatTime } from './time.js'

/** A token as clients see it, without its text: that is told once, by the answer that made it. */
export function toWireToken(token: Token) {
  return {
    id: token.id,
    kind: token.kind,
    name: token.name,
    ...(token.scopes && { scopes: token.scopes }),
    created_at: formatTime(token.createdAt),
    expires_at: formatTime(token.expiresAt),
    ...(token.lastUsedAt !== null && { last_used_at: formatTime(token.lastUsedAt) }),
  }
}
