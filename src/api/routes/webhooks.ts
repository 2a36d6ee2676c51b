import { randomBytes } from 'node:crypto'
import type { Request, Response } from 'express'
import type { WebhookResponse } from '../../shared/contract/webhook-response.js'
import { AppError, errorMessage } from '../../shared/errors.js'
import { listWebhookSecrets } from '../../shared/secrets/webhook-secret.js'
import { limitBodyTime } from '../body-time.js'
import { createByteBudget, type ByteBudget } from '../byte-budget.js'
import type { ApiContext } from '../context.js'
import { checkDeclaredLength, invalidBody, readBody } from '../request-body.js'
import { pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireTaken } from '../wire/delivery.js'
import {
  admitWebhook,
  newDelivery,
  withoutBody,
  type TakenWebhook,
} from '../webhooks/admit-webhook.js'
import { awaitResponse } from '../webhooks/await-response.js'
import { checkWebhooksFeature } from '../webhooks/check-feature.js'
import { readWebhook, type Webhook } from '../webhooks/read-webhook.js'

/** The largest that GitHub sends. */
const MAX_BODY_BYTES = 25 * 1_048_576
/** Bodies that are in memory at a time; small ones do not wait for large ones. */
const BUDGET_BYTES = 4 * MAX_BODY_BYTES
const SMALL_BYTES = 262_144

/** What providers send to. Nobody signs in: the signature of the body is what counts. */
export function addWebhookRoute({ route }: RouteTable, context: ApiContext): void {
  const budget = createByteBudget(BUDGET_BYTES)
  const options = {
    action: 'public',
    resource: { kind: 'pipeline', param: 'id' },
    limitsOwnBody: true,
  } as const
  route('POST', '/api/webhooks/:id', options, async (request, response) => {
    checkWebhooksFeature(context)
    limitBodyTime(request, response)
    checkDeclaredLength(request, MAX_BODY_BYTES)
    const { taken, waitMs } = await receive(context, budget, request, response)
    if (taken.outcome === 'accepted' && waitMs !== undefined) {
      const { run, delivery } = taken
      const answer = await awaitResponse(context, { deliveryId: delivery.id, run, waitMs })
      if (answer) return sendAnswer(response, answer)
    }
    sendJson(response, 202, toWireTaken(taken))
  })
}

/** From the first byte of the body to the row on the disk. */
async function receive(
  context: ApiContext,
  budget: ByteBudget,
  request: Request,
  response: Response,
): Promise<{ taken: TakenWebhook; waitMs: number | undefined }> {
  const { config, pipelineWebhooks, logger, now } = context
  const { maxDeferred, timeoutMs, toleranceMs } = config.webhooks
  using _room = await takeRoom(budget, request, response)
  const body = await readBody(request, MAX_BODY_BYTES)
  const pipelineId = pathParam(request, 'id')
  const webhook = readWebhook(request, body, { now: now(), toleranceMs })
  if (!isTrusted(context, pipelineId, webhook)) throw await refuse(context, request, webhook)

  const waitMs = pipelineWebhooks.find(pipelineId)?.responds ? timeoutMs : undefined
  const { event, providerDelivery } = webhook
  const taken = await admitWebhook(context, request, {
    ...{ pipelineId, event, body, providerDelivery, maxDeferred, waitMs },
  })
  const { provider, eventType } = event
  const { outcome, delivery } = taken
  logger.info({ pipelineId, provider, eventType, outcome, delivery: delivery.id }, 'webhook')
  return { taken, waitMs }
}

/** Waits for memory for a large body; nothing of it is read meanwhile. */
async function takeRoom(
  budget: ByteBudget,
  request: Request,
  response: Response,
): Promise<Disposable | undefined> {
  const declared = request.headers['content-length']
  const bytes = declared === undefined ? MAX_BODY_BYTES : Number(declared)
  if (bytes <= SMALL_BYTES) return undefined
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    return await budget.take(bytes, gone.signal)
  } catch (error) {
    throw invalidBody(`it was cut off (${errorMessage(error)})`)
  }
}

/** A pipeline that is not there, or has no secret, takes as long to refuse a webhook as any other. */
function isTrusted(
  { pipelineWebhooks, secrets, secretKey, config, now }: ApiContext,
  pipelineId: string,
  { provider, signed }: Webhook,
): boolean {
  const settings = pipelineWebhooks.find(pipelineId)
  const known = settings ? listWebhookSecrets(secrets, secretKey, { pipelineId, now: now() }) : []
  const tried = known.length > 0 ? known : [randomBytes(32).toString('hex')]
  const isSigned = tried.map((secret) => provider.isSigned(signed, secret)).includes(true)
  const isWanted = settings && (settings.provider === '' || settings.provider === provider.name)
  if (!isWanted) return false
  return known.length > 0 ? isSigned : config.webhooks.allowsUnsigned && !provider.needsSecret
}

/** Whether there is a pipeline and what it lacks is not told; its page shows it. */
async function refuse(
  { writer, audit, pipelineWebhooks, logger, now }: ApiContext,
  request: Request,
  { event, signed: { body } }: Webhook,
): Promise<AppError> {
  const pipelineId = pathParam(request, 'id')
  const delivery = withoutBody(newDelivery(request, { pipelineId, event, body }, now()))
  const reason = 'signature_invalid'
  await writer.write('refuseWebhook', { delivery, reason }, { isDurable: false })
  const { provider } = event
  const isKnown = pipelineWebhooks.find(pipelineId) !== undefined
  audit.deny(request, {
    action: 'webhook.receive',
    ...(isKnown ? { pipelineId, target: delivery.id } : { target: pipelineId }),
    details: { provider, reason },
  })
  logger.warn({ pipelineId, provider }, 'webhook with a wrong signature')
  return new AppError(reason, 'webhook signature validation failed')
}

/** The headers of the server itself stay as they are. */
function sendAnswer(response: Response, { status, headers, body }: WebhookResponse): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers))
    if (!response.hasHeader(name)) response.setHeader(name, value)
  if (body !== '' && !response.hasHeader('Content-Type'))
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8')
  response.end(body)
}
