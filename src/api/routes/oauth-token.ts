import { createHash } from 'node:crypto'
import { nanoid } from 'nanoid'
import type { OauthGrant } from '../../shared/db/oauth-grants.js'
import { hashToken, newToken } from '../../shared/random-token.js'
import { isSameSecret } from '../../shared/same-secret.js'
import { createAttemptLimit } from '../auth/attempt-limit.js'
import { ACCESS_LIFE_MS, signMcpToken } from '../auth/mcp-tokens.js'
import { sendOauthError, type OauthError } from '../auth/oauth-protocol.js'
import type { SignIn } from '../auth/sign-in.js'
import type { ApiContext } from '../context.js'
import { readFormBody } from '../request-body.js'
import type { RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'

/** How long a client may be away before somebody has to let it in again. */
const GRANT_LIFE_MS = 30 * 86_400_000
const MAX_BYTES = 65_536
const MAX_FAILED = 30

interface Tokens {
  grant: OauthGrant
  refreshToken: string
}

/** Where MCP clients exchange a code, or a refresh token, for tokens. */
export function addOauthTokenRoute({ route }: RouteTable, context: ApiContext): void {
  const { signIn, now } = context
  if (!signIn) return
  const failed = createAttemptLimit({ now, max: MAX_FAILED })
  const options = { action: 'public', resource: 'server' } as const

  route('POST', '/oauth/token', options, async (request, response) => {
    failed.check(request.ip ?? '')
    const form = await readFormBody(request, MAX_BYTES)
    const result = await exchange(context, form)
    if ('error' in result) {
      failed.fail(request.ip ?? '')
      return sendOauthError(response, result.error === 'invalid_client' ? 401 : 400, result)
    }
    const accessToken = await sign(context, signIn, result.grant)
    if (accessToken === undefined) return sendOauthError(response, 400, INVALID_GRANT)
    sendJson(response, 200, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: ACCESS_LIFE_MS / 1_000,
      refresh_token: result.refreshToken,
      scope: result.grant.scopes.join(' '),
    })
  })
}

const INVALID_GRANT: OauthError = {
  error: 'invalid_grant',
  description: 'it is not known, was used before, is over or is not for this client',
}

async function exchange(context: ApiContext, form: URLSearchParams): Promise<Tokens | OauthError> {
  switch (form.get('grant_type')) {
    case 'authorization_code':
      return await exchangeCode(context, form)
    case 'refresh_token':
      return await refresh(context, form)
    default:
      return {
        error: 'unsupported_grant_type',
        description: 'grant_type has to be authorization_code or refresh_token',
      }
  }
}

async function exchangeCode(
  context: ApiContext,
  form: URLSearchParams,
): Promise<Tokens | OauthError> {
  const { writer, now } = context
  const fault = findFault(context, form, ['code', 'code_verifier', 'redirect_uri'])
  if (fault) return fault
  const code = await writer.write('takeOauthCode', { codeHash: hashToken(form.get('code') ?? '') })
  if (!code || code.expiresAt <= now()) return INVALID_GRANT
  const verifier = createHash('sha256').update(form.get('code_verifier') ?? '')
  const isTheirs =
    code.client === form.get('client_id') &&
    code.redirectUri === form.get('redirect_uri') &&
    isSameSecret(verifier.digest('base64url'), code.challenge)
  if (!isTheirs) return INVALID_GRANT
  const { client, user, scopes, resource } = code
  if (!isSameResource(form, resource)) return INVALID_TARGET
  const refreshToken = newToken()
  const expiresAt = now() + GRANT_LIFE_MS
  const grant = { id: nanoid(), client, user, scopes, resource, expiresAt }
  const row = { ...grant, refreshHash: hashToken(refreshToken) }
  if (!(await writer.write('addOauthGrant', { grant: row, now: now() }))) return INVALID_GRANT
  return { grant, refreshToken }
}

async function refresh(context: ApiContext, form: URLSearchParams): Promise<Tokens | OauthError> {
  const { writer, grants, logger, now } = context
  const fault = findFault(context, form, ['refresh_token'])
  if (fault) return fault
  const hash = hashToken(form.get('refresh_token') ?? '')
  const resource = grants.findByRefresh(hash, now())?.grant.resource
  if (resource !== undefined && !isSameResource(form, resource)) return INVALID_TARGET
  const refreshToken = newToken()
  const result = await writer.write('rotateOauthGrant', {
    ...{ hash, client: form.get('client_id') ?? '', now: now() },
    next: { refreshHash: hashToken(refreshToken), expiresAt: now() + GRANT_LIFE_MS },
  })
  switch (result.outcome) {
    case 'rotated':
      return { grant: result.grant, refreshToken }
    case 'reused':
      logger.warn({ grant: result.grant.id }, 'a refresh token came twice: its grant has ended')
      return INVALID_GRANT
    case 'unknown':
      return INVALID_GRANT
  }
}

const INVALID_TARGET: OauthError = {
  error: 'invalid_target',
  description: 'resource is not the one that was consented to',
}

function findFault(
  { oauthClients, now }: ApiContext,
  form: URLSearchParams,
  names: readonly string[],
): OauthError | undefined {
  const missing = [...names, 'client_id'].find((name) => !form.get(name))
  if (missing !== undefined)
    return { error: 'invalid_request', description: `${missing} is required` }
  if (oauthClients.find(form.get('client_id') ?? '', now())) return undefined
  return { error: 'invalid_client', description: 'client_id is not registered' }
}

function isSameResource(form: URLSearchParams, resource: string): boolean {
  const given = form.get('resource')
  return given === null || given.replace(/\/$/, '') === resource.replace(/\/$/, '')
}

async function sign(
  { users, now }: ApiContext,
  { keys }: SignIn,
  grant: OauthGrant,
): Promise<string | undefined> {
  const user = users.find(grant.user)
  return user && (await signMcpToken(keys.mcpTokens, { grant, user, now: now() }))
}
