import type { Request, Response } from 'express'
import { z } from 'zod'
import type { Actor } from '../../shared/authorize.js'
import type { OauthClient } from '../../shared/db/oauth-clients.js'
import type { User } from '../../shared/db/users.js'
import { AppError } from '../../shared/errors.js'
import { hashToken, newToken } from '../../shared/random-token.js'
import {
  isOwnResource,
  MCP_SCOPES,
  sendOauthError,
  type McpScope,
  type OauthError,
} from '../auth/oauth-protocol.js'
import { addToRedirect, formTargetOf, nameTarget } from '../auth/redirect-uri.js'
import { seal, unseal } from '../auth/sealed.js'
import type { SignIn } from '../auth/sign-in.js'
import type { ApiContext } from '../context.js'
import { renderConsentPage } from '../pages/consent-page.js'
import { siteFor } from '../pages/site.js'
import { readFormBody } from '../request-body.js'
import { queryOf, type RouteTable } from '../route-table.js'
import { redirect, sendHtml } from '../send.js'

const CODE_LIFE_MS = 600_000
/** How long somebody may look at the page. */
const PAGE_LIFE_MS = 600_000
/** As much as is remembered while somebody signs in. */
const MAX_URL_CHARS = 2_000

/** What a client asks for, once it is known to be in order. */
const wishSchema = z.object({
  client: z.string(),
  redirectUri: z.string(),
  state: z.string(),
  challenge: z.string(),
  resource: z.string(),
  scopes: z.array(z.enum(MCP_SCOPES)),
})
type Wish = z.infer<typeof wishSchema>

/** The page that asked, sealed: nobody else's form is taken for it. */
const pageSchema = wishSchema.extend({ user: z.number(), expiresAt: z.number() })

const OPTIONS = { action: 'public', resource: 'server' } as const

/** The page where people let an MCP client in, or do not. */
export function addOauthConsentRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn, config } = context
  if (!signIn) return
  const { sessions, keys } = signIn

  route('GET', '/oauth/authorize', OPTIONS, (request, response) => {
    const client = checkClient(context, request, response)
    if (!client) return
    const wish = readWish(request, client, signIn)
    if ('error' in wish) return refuse(response, queryOf(request), wish)
    const user = sessions.find(request)
    if (user) return askUser(context, { signIn, response, client, wish, user })
    redirect(response, 302, `/auth/login?next=${encodeURIComponent(request.originalUrl)}`)
  })

  route('POST', '/oauth/authorize', OPTIONS, async (request, response) => {
    const form = await readFormBody(request, config.limits.bodyBytes)
    const page = pageSchema.safeParse(unseal(keys.consents, form.get('request') ?? '')).data
    const user = sessions.find(request)
    if (!user || page?.user !== user.id || page.expiresAt <= context.now())
      throw new AppError('request_invalid', 'this page is not yours or too old: begin again')
    const { redirectUri } = page
    const state = page.state === '' ? {} : { state: page.state }
    if (form.get('answer') !== 'allow') {
      const refusal = { error: 'access_denied', error_description: 'the user has denied access' }
      return redirect(response, 303, addToRedirect(redirectUri, { ...refusal, ...state }))
    }
    const chosen = form.getAll('scope')
    const scopes = MCP_SCOPES.filter((scope) => scope === 'ci:read' || chosen.includes(scope))
    const code = await addCode(context, { request, user, wish: { ...page, scopes } })
    redirect(response, 303, addToRedirect(redirectUri, { code, ...state }))
  })
}

/** Until client and redirect are known to belong together, errors go to whoever looks at the page. */
function checkClient(
  { oauthClients, now }: ApiContext,
  request: Request,
  response: Response,
): OauthClient | undefined {
  const query = queryOf(request)
  const fail = (status: number, error: OauthError['error'], description: string): undefined => {
    sendOauthError(response, status, { error, description })
  }
  const [id, redirectUri] = [query.get('client_id') ?? '', query.get('redirect_uri') ?? '']
  if (query.get('response_type') !== 'code')
    return fail(400, 'unsupported_response_type', 'response_type has to be code')
  if (id === '') return fail(400, 'invalid_request', 'client_id is required')
  if (redirectUri === '') return fail(400, 'invalid_request', 'redirect_uri is required')
  const client = oauthClients.find(id, now())
  if (!client) return fail(401, 'invalid_client', 'client_id is not registered')
  if (client.redirectUris.includes(redirectUri)) return client
  return fail(400, 'invalid_request', 'redirect_uri is not registered')
}

function readWish(request: Request, client: OauthClient, { baseUrl }: SignIn): Wish | OauthError {
  const query = queryOf(request)
  const get = (name: string): string => query.get(name) ?? ''
  if (get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(get('code_challenge')))
    return { error: 'invalid_request', description: 'code_challenge with S256 is required' }
  const resource = get('resource') || baseUrl
  if (!isOwnResource(resource, baseUrl))
    return { error: 'invalid_target', description: 'resource is not this server' }
  const asked = get('scope').split(' ').filter(Boolean)
  if (!asked.every((scope) => MCP_SCOPES.some((known) => known === scope)))
    return { error: 'invalid_scope', description: `scopes are ${MCP_SCOPES.join(' ')}` }
  if (request.originalUrl.length > MAX_URL_CHARS)
    return { error: 'invalid_request', description: 'the request is too long' }
  return {
    ...{ client: client.id, redirectUri: get('redirect_uri'), state: get('state') },
    ...{ challenge: get('code_challenge'), resource },
    scopes: MCP_SCOPES.filter((scope) => asked.includes(scope)),
  }
}

/** The client is told itself: where it wanted the code. */
function refuse(response: Response, query: URLSearchParams, error: OauthError): void {
  const state = query.get('state')
  const params = { error: error.error, error_description: error.description }
  const target = query.get('redirect_uri') ?? ''
  redirect(response, 302, addToRedirect(target, { ...params, ...(state && { state }) }))
}

interface Question {
  signIn: SignIn
  response: Response
  client: OauthClient
  wish: Wish
  user: User
}

function askUser(
  { site, now, ...context }: ApiContext,
  { signIn, response, client, wish, user }: Question,
): void {
  const actor: Actor = { kind: 'user', user }
  const reason = context.authorize(actor, 'server.read', { kind: 'server' })
  if (reason !== undefined) throw new AppError('access_denied', reason)
  const page = { ...wish, user: user.id, expiresAt: now() + PAGE_LIFE_MS }
  const { redirectUri, scopes } = wish
  const policy = String(response.getHeader('Content-Security-Policy'))
  // browsers apply it to where the answer to a form leads
  const target = `form-action 'self' ${formTargetOf(redirectUri)}`
  response.setHeader('Content-Security-Policy', policy.replace("form-action 'self'", target))
  const props = { client: client.name, target: nameTarget(redirectUri), user, scopes }
  const sealed = seal(signIn.keys.consents, page)
  sendHtml(response, 200, renderConsentPage({ site: siteFor(site, actor), sealed, ...props }))
}

/** Throws `request_invalid` when the client is gone. */
async function addCode(
  { writer, audit, now }: ApiContext,
  { request, user, wish }: { request: Request; user: User; wish: Wish },
): Promise<string> {
  const code = newToken()
  const { client, redirectUri, challenge, resource } = wish
  const scopes: McpScope[] = wish.scopes
  const row = {
    ...{ codeHash: hashToken(code), client, user: user.id, redirectUri, challenge, resource },
    ...{ scopes, expiresAt: now() + CODE_LIFE_MS },
  }
  if (!(await writer.write('addOauthCode', { code: row, now: now() })))
    throw new AppError('request_invalid', 'the client is not registered any more: begin again')
  await audit.record(request, {
    ...{ action: 'auth.mcp_approve', target: client, actor: { kind: 'user', user } },
    details: { scopes, redirect: nameTarget(redirectUri) },
  })
  return code
}
