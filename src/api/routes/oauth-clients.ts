import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { hasCode } from '../../shared/errors.js'
import { createAttemptLimit } from '../auth/attempt-limit.js'
import { sendOauthError, type OauthError } from '../auth/oauth-protocol.js'
import { isRedirectUri } from '../auth/redirect-uri.js'
import type { ApiContext } from '../context.js'
import { readJsonBody } from '../request-body.js'
import type { RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'

const ID_BYTES = 16
/** For somebody to consent; who has been used stays longer. */
const UNUSED_LIFE_MS = 86_400_000
/** In a minute, of one address. */
const MAX_REGISTERED = 20
const MAX_BYTES = 65_536
const MAX_URIS = 10
const MAX_NAME_CHARS = 100
const GRANT_TYPES = ['authorization_code', 'refresh_token']

/** What is not here is of no use to us; programs send all sorts of things. */
const clientSchema = z.object({
  redirect_uris: z.array(z.string()).max(MAX_URIS).default([]),
  client_name: z.string().max(MAX_NAME_CHARS).optional(),
  grant_types: z.array(z.string().max(100)).max(10).default(['authorization_code']),
})

/** Registering a program that wants to be let in by people; anybody may. */
export function addOauthClientRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn, writer, now } = context
  if (!signIn) return
  const registered = createAttemptLimit({ now, max: MAX_REGISTERED })
  const options = { action: 'public', resource: 'server' } as const

  route('POST', '/oauth/register', options, async (request, response) => {
    registered.check(request.ip ?? '')
    registered.fail(request.ip ?? '')
    const parsed = parseClient(await tryRead(request))
    if ('error' in parsed) return sendOauthError(response, 400, parsed)
    const { redirect_uris: redirectUris, client_name: name, grant_types: grantTypes } = parsed
    const id = randomBytes(ID_BYTES).toString('hex')
    const expiresAt = now() + UNUSED_LIFE_MS
    const client = { id, name: name ?? '', redirectUris, expiresAt }
    if (!(await writer.write('registerOauthClient', { client, now: now() })))
      return sendOauthError(response, 503, {
        error: 'temporarily_unavailable',
        description: 'too many clients are registered',
      })
    sendJson(response, 201, {
      client_id: id,
      ...(name !== undefined && { client_name: name }),
      redirect_uris: redirectUris,
      grant_types: grantTypes.filter((type) => GRANT_TYPES.includes(type)),
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      client_id_issued_at: Math.floor(now() / 1_000),
    })
  })
}

/** Undefined for a body that is no JSON. */
async function tryRead(request: Parameters<typeof readJsonBody>[0]): Promise<unknown> {
  try {
    return await readJsonBody(request, { maxBytes: MAX_BYTES })
  } catch (error) {
    if (hasCode(error, 'request_invalid')) return undefined
    throw error
  }
}

function parseClient(body: unknown): z.infer<typeof clientSchema> | OauthError {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { error: 'invalid_request', description: 'could not parse request body' }
  const { data, error } = clientSchema.safeParse(body)
  if (!data) {
    const field = error.issues[0]?.path.join('.') ?? ''
    return { error: 'invalid_client_metadata', description: `${field} is invalid` }
  }
  if (data.redirect_uris.length === 0)
    return { error: 'invalid_client_metadata', description: 'redirect_uris is required' }
  if (data.redirect_uris.every((uri) => isRedirectUri(uri))) return data
  return {
    error: 'invalid_redirect_uri',
    description: 'redirect_uris: https, http on this computer, or the scheme of an app',
  }
}
