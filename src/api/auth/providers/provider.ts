import type { Strategy } from 'passport'

/** A place where people sign in. */
export interface Provider {
  /** In paths, and in the names of people. */
  name: 'github' | 'gitlab' | 'microsoftonline'
  /** For people. */
  title: string
  /** A strategy of passport's, for one exchange; whom it lets in is a Profile. */
  createStrategy(): Strategy | Promise<Strategy>
}

export interface ProviderClient {
  clientId: string
  clientSecret: string
  /** Where the provider sends people back to: exactly what is registered there. */
  callbackUrl: string
}

/** How long one answer of a provider may take. */
export const ANSWER_MS = 10_000
