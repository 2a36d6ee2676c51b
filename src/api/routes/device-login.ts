import { createHash, randomBytes } from 'node:crypto'
import type { Request } from 'express'
import { nanoid } from 'nanoid'
import { z } from 'zod'
import type { DeviceLogin } from '../../shared/db/device-logins.js'
import { AppError } from '../../shared/errors.js'
import { isSameSecret } from '../../shared/same-secret.js'
import { createAttemptLimit } from '../auth/attempt-limit.js'
import type { SignIn } from '../auth/sign-in.js'
import { signToken } from '../auth/tokens.js'
import type { ApiContext } from '../context.js'
import { renderApprovedPage, renderApprovePage } from '../pages/device-login-page.js'
import { siteFor } from '../pages/site.js'
import { parseBody, readFormBody, readJsonBody } from '../request-body.js'
import { queryOf, type RouteTable } from '../route-table.js'
import { sendError, sendHtml, sendJson, sendText } from '../send.js'

const CODE_BYTES = 16
const LIFE_MS = 600_000
const TOKEN_LIFE_MS = 30 * 86_400_000
/** In a minute, of one address: command lines of a whole office. */
const MAX_BEGUN = 30
const MAX_UNKNOWN = 10
const MAX_AGENT_CHARS = 200

/** A client of ours sends a hash of a secret that it keeps; others send nothing. */
const beginSchema = z.strictObject({
  secret_hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})

const OPTIONS = { action: 'public', resource: 'server' } as const
const BAD_CODE = 'Invalid or expired login code'

/** Letting a command line in from a browser: it asks for a code, somebody approves it, it polls for its token. */
export function addDeviceLoginRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn, deviceLogins, writer, site, config, audit, now } = context
  if (!signIn) return
  const { sessions, baseUrl, providers } = signIn
  const begun = createAttemptLimit({ now, max: MAX_BEGUN })
  const unknown = createAttemptLimit({ now, max: MAX_UNKNOWN })
  const maxBytes = config.limits.bodyBytes

  route('POST', '/auth/cli/begin', OPTIONS, async (request, response) => {
    begun.check(addressOf(request))
    begun.fail(addressOf(request))
    const { secret_hash: secret } = parseBody(
      beginSchema,
      (await readJsonBody(request, { maxBytes })) ?? {},
    )
    const code = randomBytes(CODE_BYTES).toString('hex')
    const isAdded = await writer.write('beginDeviceLogin', {
      codeHash: hashCode(code),
      secretHash: secret === undefined ? null : Buffer.from(secret, 'hex'),
      address: addressOf(request),
      userAgent: (request.headers['user-agent'] ?? '').slice(0, MAX_AGENT_CHARS),
      expiresAt: now() + LIFE_MS,
      now: now(),
    })
    if (!isAdded) throw new AppError('too_many_attempts', 'too many command lines wait already')
    sendJson(response, 200, { code, login_url: `${baseUrl}${approvePath(code)}` })
  })

  route('GET', '/auth/cli/approve', OPTIONS, (request, response) => {
    const code = queryOf(request).get('code') ?? ''
    const login = findWaiting(context, code)
    if (!login) return sendText(response, 400, BAD_CODE)
    const user = sessions.find(request)
    const own = user ? siteFor(site, { kind: 'user', user }) : site
    const next = approvePath(code)
    sendHtml(response, 200, renderApprovePage({ site: own, code, login, user, providers, next }))
  })

  route('POST', '/auth/cli/approve', OPTIONS, async (request, response) => {
    const code = (await readFormBody(request, maxBytes)).get('code') ?? ''
    const user = sessions.find(request)
    if (!user) return sendText(response, 401, 'Authentication required')
    const approval = { codeHash: hashCode(code), user: user.id, now: now() }
    if (!(await writer.write('approveDeviceLogin', approval)))
      return sendText(response, 400, BAD_CODE)
    await audit.record(request, { action: 'auth.cli_approve', actor: { kind: 'user', user } })
    sendHtml(response, 200, renderApprovedPage(siteFor(site, { kind: 'user', user })))
  })

  route('GET', '/auth/cli/poll', OPTIONS, async (request, response) => {
    unknown.check(addressOf(request))
    const codeHash = hashCode(queryOf(request).get('code') ?? '')
    const login = deviceLogins.find(codeHash)
    if (!login || !knowsSecret(request, login)) {
      unknown.fail(addressOf(request))
      return sendError(request, response, 404, 'not_found', 'unknown code')
    }
    if (login.expiresAt <= now()) {
      await writer.write('removeDeviceLogin', { codeHash })
      return sendError(request, response, 410, 'code_expired', 'code expired')
    }
    if (login.user === null) return sendJson(response, 202, { status: 'pending' })
    const token = await takeToken(context, signIn, { codeHash, login })
    if (token === undefined) return sendError(request, response, 404, 'not_found', 'unknown code')
    sendJson(response, 200, { status: 'approved', token })
  })
}

function approvePath(code: string): string {
  return `/auth/cli/approve?code=${code}`
}

function addressOf({ ip = '' }: Request): string {
  return ip
}

function hashCode(code: string): Buffer {
  return createHash('sha256').update(code).digest()
}

function findWaiting({ deviceLogins, now }: ApiContext, code: string): DeviceLogin | undefined {
  const login = deviceLogins.find(hashCode(code))
  return login && login.user === null && login.expiresAt > now() ? login : undefined
}

/** Who only saw the code, in a shell's history or on a screen, does not get the token. */
function knowsSecret({ headers }: Request, { secretHash }: DeviceLogin): boolean {
  if (secretHash === null) return true
  const hash = createHash('sha256').update(String(headers['x-login-secret'] ?? ''))
  return isSameSecret(hash.digest('hex'), secretHash.toString('hex'))
}

async function takeToken(
  { writer, now }: ApiContext,
  { keys }: SignIn,
  { codeHash, login }: { codeHash: Buffer; login: DeviceLogin },
): Promise<string | undefined> {
  const taken = await writer.write('takeDeviceLogin', {
    codeHash,
    token: {
      id: nanoid(),
      name: `login from ${login.address}`,
      createdAt: now(),
      expiresAt: now() + TOKEN_LIFE_MS,
    },
  })
  return taken && (await signToken(keys.tokens, taken.token, taken.user))
}
