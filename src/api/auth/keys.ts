import { hkdfSync } from 'node:crypto'

/** A key for each purpose: what was made for one is nothing for another. */
export interface AuthKeys {
  /** Signs the cookies of sessions. */
  sessions: Buffer
  /** Seals what a browser keeps while somebody signs in. */
  signIns: Buffer
  /** Signs the tokens of command lines. */
  tokens: Buffer
  /** Signs the access tokens of MCP clients. */
  mcpTokens: Buffer
  /** Seals what somebody is asked to consent to. */
  consents: Buffer
}

/** Derives them from --oauth-session-secret; another secret ends all that they stand for. */
export function deriveAuthKeys(secret: string): AuthKeys {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `pocketci ${purpose}`, 32))
  return {
    sessions: derive('sessions'),
    signIns: derive('sign-ins'),
    tokens: derive('api tokens'),
    mcpTokens: derive('mcp tokens'),
    consents: derive('consents'),
  }
}
