import { nanoid } from 'nanoid'
import { z } from 'zod'
import type { Actor } from '../../shared/authorize.js'
import { SCOPES, type Scope } from '../../shared/contract/scopes.js'
import type { NewToken, TokenOwner } from '../../shared/db/tokens.js'
import { AppError } from '../../shared/errors.js'
import { hashToken, newToken } from '../../shared/random-token.js'
import { TOKEN_PREFIX } from '../auth/tokens.js'
import type { ApiContext } from '../context.js'
import { readLife } from '../read-life.js'
import { envelope, readPage } from '../read-page.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireToken } from '../wire/token.js'

const bodySchema = z.strictObject({
  name: z.string().min(1).max(100),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  expires_in: z.string().max(100).nullish(),
})

/** Everybody's own tokens: making, listing and revoking them. */
export function addTokenRoutes({ route }: RouteTable, context: ApiContext): void {
  const { tokens, writer, config, audit, now } = context
  const options = { action: 'token.manage', resource: 'server' } as const

  route('POST', '/api/tokens', options, async (request, response) => {
    const actor = actorOf(request)
    const owner = ownerOf(actor)
    const json = await readJsonBody(request, { maxBytes: config.limits.bodyBytes })
    const { name, scopes, expires_in: expiresIn } = parseBody(bodySchema, json ?? {})
    checkScopes(actor, scopes)
    const text = `${TOKEN_PREFIX}${newToken()}`
    const token: NewToken = {
      ...{ id: nanoid(), kind: 'api', owner, name, scopes: [...new Set(scopes)] },
      ...{ createdAt: now(), expiresAt: now() + readLife(expiresIn), tokenHash: hashToken(text) },
    }
    if (!(await writer.write('addToken', token)))
      throw new AppError('token_limit', 'you have too many tokens: revoke some of them')
    const details = { name, scopes: token.scopes }
    await audit.record(request, { action: 'token.create', target: token.id, details })
    sendJson(response, 200, { token: text, ...toWireToken({ ...token, lastUsedAt: null }) })
  })

  route('GET', '/api/tokens', options, (request, response) => {
    const page = readPage(queryOf(request))
    const found = tokens.list(ownerOf(actorOf(request)), page, now())
    const items = found.items.map((token) => toWireToken(token))
    sendJson(response, 200, { ...envelope(page, found), items })
  })

  route('DELETE', '/api/tokens/:token_id', options, async (request, response) => {
    const id = pathParam(request, 'token_id')
    if (!(await writer.write('removeToken', { owner: ownerOf(actorOf(request)), id })))
      throw new AppError('token_not_found', 'token not found')
    await audit.record(request, { action: 'token.revoke', target: id })
    response.status(204).end()
  })
}

function ownerOf(actor: Actor): TokenOwner {
  switch (actor.kind) {
    case 'basic':
      return { kind: 'basic', user: actor.user }
    case 'user':
      return { kind: 'user', id: actor.user.id }
    case 'anonymous':
    case 'pipeline':
      throw new AppError('request_invalid', 'tokens belong to people: this server signs nobody in')
  }
}

/** A token makes none that may do more than itself. */
function checkScopes(actor: Actor, wanted: readonly Scope[]): void {
  const own = 'scopes' in actor ? actor.scopes : undefined
  const missing = own && wanted.find((scope) => !own.includes(scope))
  if (missing !== undefined)
    throw new AppError('access_denied', `access denied: this token does not have ${missing} itself`)
}
