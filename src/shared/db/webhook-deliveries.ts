import { webhookInputSchema, type WebhookInput } from '../contract/trigger-input.js'
import { webhookResponseSchema, type WebhookResponse } from '../contract/webhook-response.js'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

/**
 * accepted: it started a run. deferred: it will when there is room in the queue.
 * duplicate: it was sent before. refused: see `reason`.
 */
export type DeliveryOutcome = 'accepted' | 'deferred' | 'duplicate' | 'refused'

/** One webhook that somebody has sent. */
export interface Delivery {
  id: string
  pipelineId: string
  event: WebhookInput
  bodyBytes: number
  outcome: DeliveryOutcome
  /** Of a refused one: an error code. */
  reason: string
  runId: string | null
  /** The delivery that it repeats. */
  firstId: string | null
  requestId: string
  receivedAt: number
  /** Until when its sender waits for an answer of the pipeline. */
  respondBy: number | null
  response: WebhookResponse | undefined
  /** Its body is there: it can be delivered again. */
  hasBody: boolean
}

export interface NewDelivery extends Omit<Delivery, 'response' | 'hasBody'> {
  /** Kept unless it is a duplicate or nobody knows who sent it. */
  body: Uint8Array
  keepsBody: boolean
}

/** Deliveries of a pipeline that were refused: the last ones, for anybody can send more of them. */
const MAX_REFUSED = 100

export type WebhookDeliveries = ReturnType<typeof createWebhookDeliveries>

/** The SQL of tables `webhook_deliveries` and `webhook_bodies`. */
export function createWebhookDeliveries(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into webhook_deliveries (id, pipeline_id, provider, event_type, event, body_bytes, outcome,
       reason, run_id, first_id, request_id, received_at, respond_by)
     values (@id, @pipelineId, @provider, @eventType, @event, @bodyBytes, @outcome, @reason, @runId,
       @firstId, @requestId, @receivedAt, @respondBy)`,
  )
  const insertBody = db.prepare<[string, Uint8Array]>(
    'insert into webhook_bodies (delivery_id, bytes) values (?, ?)',
  )
  const dropRefused = db.prepare<[string]>(
    `delete from webhook_deliveries where seq in (
       select seq from webhook_deliveries where pipeline_id = ? and outcome = 'refused'
       order by seq desc limit 10 offset ${MAX_REFUSED})`,
  )
  const accept = db.prepare<[string, string]>(
    `update webhook_deliveries set outcome = 'accepted', run_id = ?
     where id = ? and outcome = 'deferred'`,
  )
  const byId = db.prepare<[string], Row>(`${SELECT} where id = ?`)
  const list = db.prepare<[Record<string, unknown>], Row>(
    `${SELECT} where pipeline_id = @pipelineId order by seq desc limit @limit offset @offset`,
  )
  const count = db
    .prepare<[string], number>('select count(*) from webhook_deliveries where pipeline_id = ?')
    .pluck()
  const deferred = db.prepare<[number], Row>(
    `${SELECT} where outcome = 'deferred' order by seq limit ?`,
  )
  const countDeferred = db
    .prepare<[number], number>(
      "select count(*) from (select 1 from webhook_deliveries where outcome = 'deferred' limit ?)",
    )
    .pluck()
  const body = db
    .prepare<[string], Buffer>('select bytes from webhook_bodies where delivery_id = ?')
    .pluck()
  const respond = db.prepare<[Record<string, unknown>]>(
    `update webhook_deliveries set response = @response
     where run_id = @runId and respond_by > @now and response is null`,
  )
  const response = db
    .prepare<[string], string | null>('select response from webhook_deliveries where id = ?')
    .pluck()
  const timeOf = db
    .prepare<[number], number>(
      'select received_at from webhook_deliveries order by seq desc limit 1 offset ?',
    )
    .pluck()
  const before = db
    .prepare<[number, number], number>(
      `select exists (select 1 from webhook_deliveries where received_at < ? and outcome <> 'deferred')
         or exists (select 1 from webhook_dedups where created_at < ?)`,
    )
    .pluck()
  const prune = db.prepare<[Record<string, unknown>]>(
    `delete from webhook_deliveries where seq in (
       select seq from webhook_deliveries
       where received_at < @before and outcome <> 'deferred' and not exists (
         select 1 from runs where runs.id = run_id and status in ('queued', 'running'))
       order by received_at limit @limit)`,
  )

  return {
    insert({ body: bytes, keepsBody, event, ...delivery }: NewDelivery): void {
      insert.run({
        ...delivery,
        provider: event.provider,
        eventType: event.eventType,
        event: JSON.stringify(event),
      })
      if (keepsBody) insertBody.run(delivery.id, bytes)
      if (delivery.outcome === 'refused') dropRefused.run(delivery.pipelineId)
    },

    /** A deferred one has got its run. */
    accept: (id: string, runId: string): void => void accept.run(runId, id),

    find: (id: string): Delivery | undefined => fromOptionalRow(byId.get(id)),

    findBody: (id: string): Buffer | undefined => body.get(id),

    /** Of one pipeline, newest first. */
    list(pipelineId: string, { page, perPage }: Page): PageOf<Delivery> {
      const rows = list.all({ pipelineId, limit: perPage, offset: (page - 1) * perPage })
      return { items: rows.map((row) => fromRow(row)), totalItems: count.get(pipelineId) ?? 0 }
    },

    /** Those that wait for room in the queue, oldest first. */
    listDeferred: (limit: number): Delivery[] => deferred.all(limit).map((row) => fromRow(row)),
    /** How many they are, counted no further than `limit`. */
    countDeferred: (limit: number): number => countDeferred.get(limit) ?? 0,

    /** The first answer of a run to whoever has sent its webhook, if that still waits. */
    respond: (runId: string, answer: WebhookResponse, now: number): void =>
      void respond.run({ runId, response: JSON.stringify(answer), now }),

    findResponse(id: string): WebhookResponse | undefined {
      const text = response.get(id)
      return text ? webhookResponseSchema.parse(JSON.parse(text)) : undefined
    },

    /** When the one arrived that has so many newer ones; undefined: there are not as many. */
    findTimeOf: (newer: number): number | undefined => timeOf.get(newer),

    /** Whether there is anything to prune: a look before a write. */
    hasBefore: (deliveriesBefore: number, dedupsBefore: number): boolean =>
      before.get(deliveriesBefore, dedupsBefore) === 1,

    /** Removes up to `limit` of those before a time that nothing waits for; answers how many. */
    prune: (before: number, limit: number): number => prune.run({ before, limit }).changes,
  }
}

const SELECT = `select id, pipeline_id as pipelineId, event, body_bytes as bodyBytes, outcome, reason,
  run_id as runId, first_id as firstId, request_id as requestId, received_at as receivedAt,
  respond_by as respondBy, response,
  exists (select 1 from webhook_bodies where delivery_id = webhook_deliveries.id) as hasBody
  from webhook_deliveries`

type Row = Omit<Delivery, 'event' | 'response' | 'hasBody'> & {
  event: string
  response: string | null
  hasBody: number
}

function fromOptionalRow(row: Row | undefined): Delivery | undefined {
  return row && fromRow(row)
}

function fromRow({ event, response, hasBody, ...row }: Row): Delivery {
  return {
    ...row,
    event: webhookInputSchema.parse(JSON.parse(event)),
    response: response === null ? undefined : webhookResponseSchema.parse(JSON.parse(response)),
    hasBody: hasBody === 1,
  }
}
