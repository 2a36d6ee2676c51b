import type { Request, RequestHandler } from 'express'
import passport from 'passport'
import type { Profile } from '../../../shared/db/users.js'
import { ANSWER_MS, type Provider } from './provider.js'

/** What a step of a sign-in comes to. */
export type SignInStep =
  { outcome: 'redirect'; url: string } | { outcome: 'profile'; profile: Profile }

/** What strategies keep between the two steps: state, nonce, verifier. */
export type SignInState = Record<string, unknown>

/** All requests of an exchange together. */
const EXCHANGE_MS = 5 * ANSWER_MS

/**
 * Lets passport do one step: without a code in the query the way to the provider, with one the exchange.
 * It changes `state`. Rejects for whatever is wrong: a denial, another state, a code that is no good.
 */
export async function runStrategy(
  provider: Provider,
  query: URLSearchParams,
  state: SignInState,
): Promise<SignInStep> {
  const strategy = await provider.createStrategy()
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${provider.title} takes too long`)),
      EXCHANGE_MS,
    )
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    const authenticate = passport.authenticate(
      strategy,
      { session: false },
      (error: unknown, user: Profile | false | undefined, info: unknown) =>
        settle(() => {
          if (user) return resolve({ outcome: 'profile', profile: user })
          reject(toError(error ?? info))
        }),
    ) as RequestHandler
    // what it does to these two is all that it does: our own answer is made from that
    const request = {
      method: 'GET',
      headers: {},
      query: Object.fromEntries(query),
      session: state,
    } as unknown as Request
    const response = {
      setHeader: (name: string, url: string) => {
        if (name === 'Location') settle(() => resolve({ outcome: 'redirect', url }))
      },
      end: () => undefined,
    } as unknown as Parameters<RequestHandler>[1]
    void authenticate(request, response, (error: unknown) => settle(() => reject(toError(error))))
  })
}

/** Strategies fail with errors, with texts and with objects that hold one. */
function toError(reason: unknown): Error {
  if (reason instanceof Error) return reason
  const text =
    typeof reason === 'object' && reason !== null && 'message' in reason ? reason.message : reason
  return new Error(typeof text === 'string' ? text : 'the provider refused')
}
