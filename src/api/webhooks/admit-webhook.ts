import type { Request } from 'express'
import { nanoid } from 'nanoid'
import { resolveInputs, type InputValue } from '../../shared/contract/inputs.js'
import { NO_RULE } from '../../shared/contract/queue-rules.js'
import { resolveGroup } from '../../shared/admission/concurrency-group.js'
import { AppError } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import { newRunId } from '../../shared/ids.js'
import type { WebhookInput } from '../../shared/contract/trigger-input.js'
import { hashKey } from '../../shared/webhooks/event-expressions.js'
import type { ApiContext } from '../context.js'
import { idOf } from '../middleware/request-id.js'
import { refused, serverStopping } from '../refusals.js'
import {
  toTriggerInput,
  triggeredByOf,
  type IncomingDelivery,
  type WebhookAdmission,
} from './delivery-writes.js'

/** What somebody wants a run for. */
export interface WebhookRequest {
  pipelineId: string
  event: Omit<WebhookInput, 'delivery'>
  body: Uint8Array
  /** What its provider calls the delivery; empty: it is no repetition. */
  providerDelivery?: string
  /** The delivery that somebody sends again. */
  firstId?: string
  /** Webhooks that may be waiting for room before it; 0: it does not wait for any. */
  maxDeferred: number
  /** How long the sender waits for an answer of the pipeline; undefined: not at all. */
  waitMs?: number | undefined
  /** Who asked, when it was not the provider. */
  triggeredBy?: string
}

/** What became of it; it is on the disk. */
export type TakenWebhook = { delivery: IncomingDelivery } & Extract<
  WebhookAdmission,
  { outcome: 'accepted' | 'deferred' | 'duplicate' }
>

/**
 * Takes a webhook that somebody may send. Throws `server_stopping`, `pipeline_not_found`,
 * `request_invalid` (an input is required), `pipeline_paused` or `queue_full`; the last three are on record.
 */
export async function admitWebhook(
  context: ApiContext,
  request: Request,
  { pipelineId, event, body, ...how }: WebhookRequest,
): Promise<TakenWebhook> {
  const { writer, config, pipelines, stopping } = context
  const now = context.now()
  const { maxQueueSize } = config.queue
  const delivery = newDelivery(request, { pipelineId, event, body, ...how }, now)
  const inputs = await resolveOrRefuse(context, delivery)
  const triggerInput = toTriggerInput(delivery.event, inputs)
  const triggeredBy = how.triggeredBy ?? triggeredByOf(delivery.event)
  const run = {
    ...{ id: newRunId(), pipelineId, triggeredBy, triggerInput },
    triggerType: 'webhook' as const,
    requestId: delivery.requestId,
  }
  const { providerDelivery = '' } = how
  const keyHash =
    providerDelivery === '' ? undefined : hashKey(`${event.provider} ${providerDelivery}`)
  let rule = pipelines.findRules(pipelineId)?.concurrency ?? NO_RULE
  for (;;) {
    if (stopping.aborted) throw serverStopping()
    const admission = await writer.write('admitWebhook', {
      ...{ delivery, keyHash, run, maxQueueSize, maxDeferred: how.maxDeferred, now },
      resolved: { rule, ...resolveGroup(pipelineId, rule, triggerInput) },
      dedupTtlMs: config.webhooks.dedupTtlMs,
    })
    faultPoint('api.webhook.admitted')
    switch (admission.outcome) {
      case 'accepted':
      case 'deferred':
      case 'duplicate':
        return { ...admission, delivery }
      case 'rule_changed':
        rule = admission.rule
        break
      default:
        throw refused(admission, maxQueueSize)
    }
  }
}

/** A webhook gives a run no inputs: a pipeline that requires one takes none. */
async function resolveOrRefuse(
  { pipelineInputs, writer }: ApiContext,
  delivery: IncomingDelivery,
): Promise<Record<string, InputValue>> {
  try {
    return resolveInputs(pipelineInputs.find(delivery.pipelineId), {})
  } catch (error) {
    if (error instanceof AppError)
      await writer.write('refuseWebhook', { delivery: withoutBody(delivery), reason: error.code })
    throw error
  }
}

/** As one is recorded whose body is not kept. */
export function withoutBody(delivery: IncomingDelivery): IncomingDelivery {
  return { ...delivery, body: new Uint8Array() }
}

/** A delivery about which nothing is decided yet. */
export function newDelivery(
  request: Request,
  { pipelineId, event, body, ...how }: Omit<WebhookRequest, 'maxDeferred'>,
  now: number,
): IncomingDelivery {
  const id = nanoid()
  return {
    ...{ id, pipelineId, event: { ...event, delivery: id }, body, bodyBytes: body.length },
    firstId: how.firstId ?? null,
    requestId: idOf(request),
    receivedAt: now,
    respondBy: how.waitMs === undefined ? null : now + how.waitMs,
  }
}
