import type { Request, Response } from 'express'
import { z } from 'zod'
import { AppError, errorMessage } from '../../shared/errors.js'
import { readCookie, setCookie } from '../auth/cookies.js'
import { nextPath } from '../auth/next-path.js'
import type { Provider } from '../auth/providers/provider.js'
import { runStrategy, type SignInState } from '../auth/providers/run-strategy.js'
import { seal, unseal } from '../auth/sealed.js'
import type { SignIn } from '../auth/sign-in.js'
import type { ApiContext } from '../context.js'
import { renderLoginPage } from '../pages/login-page.js'
import { pathParam, queryOf, type RouteTable } from '../route-table.js'
import { redirect, sendHtml, sendText } from '../send.js'

/** What a browser keeps, sealed, between the way to a provider and the way back. */
const COOKIE = 'pocketci_sign_in'
const COOKIE_PATH = '/auth/'
/** How long somebody may take at a provider's page. */
const LIFE_MS = 600_000

const stateSchema = z.object({
  provider: z.string(),
  next: z.string(),
  expiresAt: z.number(),
  state: z.record(z.string(), z.unknown()),
})
type UnderWay = z.infer<typeof stateSchema>

const OPTIONS = { action: 'public', resource: 'server' } as const

/** The sign-in page, and the way through a provider. They are there when a provider is set up. */
export function addSignInRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn, site } = context
  if (!signIn) return
  const { providers } = signIn

  route('GET', '/auth/login', OPTIONS, (request, response) => {
    const query = queryOf(request)
    const next = nextPath(query.get('next'))
    const error = query.get('error')
    sendHtml(response, 200, renderLoginPage({ site, providers, next, error }))
  })

  route('GET', '/auth/:provider', OPTIONS, async (request, response) => {
    const provider = findProvider(signIn, request)
    if (!provider) return sendText(response, 400, 'Unknown provider')
    await begin(context, signIn, { provider, request, response })
  })

  route('GET', '/auth/:provider/callback', OPTIONS, async (request, response) => {
    const provider = findProvider(signIn, request)
    if (!provider) return sendText(response, 400, 'Unknown provider')
    await complete(context, signIn, { provider, request, response })
  })
}

function findProvider({ providers }: SignIn, request: Request): Provider | undefined {
  const name = pathParam(request, 'provider')
  return providers.find((provider) => provider.name === name)
}

interface Exchange {
  provider: Provider
  request: Request
  response: Response
}

async function begin(
  { logger, now }: ApiContext,
  { keys, isSecure }: SignIn,
  { provider, request, response }: Exchange,
): Promise<void> {
  const state: SignInState = {}
  try {
    const step = await runStrategy(provider, new URLSearchParams(), state)
    if (step.outcome !== 'redirect') throw new Error('the sign-in did not begin at the provider')
    const next = nextPath(queryOf(request).get('next'))
    const underWay = { provider: provider.name, next, expiresAt: now() + LIFE_MS, state }
    const value = seal(keys.signIns, underWay satisfies UnderWay)
    setCookie(response, COOKIE, value, { path: COOKIE_PATH, maxAgeMs: LIFE_MS, isSecure })
    redirect(response, 302, step.url)
  } catch (error) {
    logger.warn({ provider: provider.name, reason: errorMessage(error) }, 'a sign-in did not begin')
    redirect(response, 302, '/auth/login?error=auth_failed')
  }
}

async function complete(
  { logger, audit, now }: ApiContext,
  { keys, sessions, isSecure }: SignIn,
  { provider, request, response }: Exchange,
): Promise<void> {
  const underWay = stateSchema.safeParse(
    unseal(keys.signIns, readCookie(request, COOKIE) ?? ''),
  ).data
  // whatever comes of it, nobody goes this way again
  setCookie(response, COOKIE, '', { path: COOKIE_PATH, maxAgeMs: 0, isSecure })
  try {
    if (underWay?.provider !== provider.name || underWay.expiresAt <= now())
      throw new AppError('authentication_failed', 'no sign-in is under way in this browser')
    const step = await runStrategy(provider, queryOf(request), underWay.state)
    if (step.outcome !== 'profile') throw new Error('the provider sent no code')
    const user = await sessions.begin(request, response, step.profile)
    await audit.record(request, { action: 'auth.login', actor: { kind: 'user', user } })
    redirect(response, 302, underWay.next)
  } catch (error) {
    logger.warn({ provider: provider.name, reason: errorMessage(error) }, 'a sign-in failed')
    audit.deny(request, { action: 'auth.login', details: { provider: provider.name } })
    redirect(response, 302, '/auth/login?error=auth_failed')
  }
}
