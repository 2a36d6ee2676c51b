import type { Delivery } from '../../shared/db/webhook-deliveries.js'
import type { TakenWebhook } from '../webhooks/admit-webhook.js'
import { formatTime } from './time.js'

/** The answer to whoever has sent a webhook that was taken. */
export function toWireTaken({ delivery, ...taken }: TakenWebhook) {
  const about = { pipeline_id: delivery.pipelineId, delivery_id: delivery.id }
  switch (taken.outcome) {
    case 'accepted': {
      const { id, status } = taken.run
      return { run_id: id, ...about, status, message: 'pipeline execution started' }
    }
    case 'deferred':
      return { ...about, status: 'deferred', message: 'the run starts when there is room for it' }
    case 'duplicate': {
      const { run, first } = taken
      const status = run?.status ?? (first?.outcome === 'deferred' ? 'deferred' : 'duplicate')
      const isFirst = first ? { first_delivery_id: first.id } : {}
      const message = 'this webhook was delivered before'
      return { ...(run && { run_id: run.id }), ...about, ...isFirst, status, message }
    }
  }
}

/** A delivery as clients see it; what is empty is left out. */
export function toWireDelivery({ event, ...delivery }: Delivery) {
  const { provider, eventType, method, url, headers, query } = event
  return {
    id: delivery.id,
    pipeline_id: delivery.pipelineId,
    outcome: delivery.outcome,
    ...(delivery.reason && { reason: delivery.reason }),
    ...(delivery.runId !== null && { run_id: delivery.runId }),
    ...(delivery.firstId !== null && { first_delivery_id: delivery.firstId }),
    provider,
    event_type: eventType,
    method,
    ...(url && { url }),
    ...(headers && { headers }),
    ...(query && Object.keys(query).length > 0 && { query }),
    body_bytes: delivery.bodyBytes,
    has_body: delivery.hasBody,
    received_at: formatTime(delivery.receivedAt),
    ...(delivery.response && { response: delivery.response }),
  }
}
