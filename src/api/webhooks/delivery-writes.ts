import { isDeepStrictEqual } from 'node:util'
import { checkCapacity, type QueueFull } from '../../shared/admission/check-admission.js'
import { resolveGroup } from '../../shared/admission/concurrency-group.js'
import {
  enqueueRun,
  type EnqueueTables,
  type RuledGroup,
  type RuledRun,
} from '../../shared/admission/enqueue-run.js'
import { defaultInputs, type InputValue } from '../../shared/contract/inputs.js'
import type { TriggerInput, WebhookInput } from '../../shared/contract/trigger-input.js'
import type { ConcurrencyRule } from '../../shared/contract/queue-rules.js'
import { QUEUED } from '../../shared/admission/queued-note.js'
import type { createExecutors } from '../../shared/db/executors.js'
import type { PipelineInputs } from '../../shared/db/pipeline-inputs.js'
import type { Pipelines, QueueRules } from '../../shared/db/pipelines.js'
import type { Run } from '../../shared/db/runs.js'
import type { WebhookDedups } from '../../shared/db/webhook-dedups.js'
import type {
  Delivery,
  NewDelivery,
  WebhookDeliveries,
} from '../../shared/db/webhook-deliveries.js'
import type { Notes } from '../../shared/db/writer/protocol.js'
import { newRunId } from '../../shared/ids.js'

interface Tables extends EnqueueTables {
  pipelines: Pipelines
  pipelineInputs: PipelineInputs
  executors: ReturnType<typeof createExecutors>
  deliveries: WebhookDeliveries
  dedups: WebhookDedups
}

/** What the api writes of webhooks: operations of its writer thread. */
export function createDeliveryWrites(tables: Tables) {
  const { pipelines, pipelineInputs, runs, executors, deliveries, dedups } = tables
  return {
    /**
     * Takes a webhook: starts its run, keeps it until there is room for one, or finds that it was sent before.
     * One that is refused is recorded too.
     */
    admitWebhook(admit: AdmitWebhook, notes: Notes): WebhookAdmission {
      const { delivery, keyHash, resolved, maxQueueSize, maxDeferred, now } = admit
      const { id, pipelineId } = delivery
      const rules = pipelines.findRules(pipelineId)
      if (!rules) return { outcome: 'pipeline_not_found' }
      if (!isDeepStrictEqual(rules.concurrency, resolved.rule))
        return { outcome: 'rule_changed', rule: rules.concurrency }
      const key = keyHash && ({ pipelineId, scope: 'delivery', keyHash, ownerId: id } as const)
      const firstId = key && dedups.findOwner(key, { now, ttlMs: admit.dedupTtlMs })
      if (firstId !== undefined) return recordDuplicate(delivery, firstId)
      if (rules.isPaused) return record(delivery, 'pipeline_paused', { outcome: 'paused' })

      admitDeferred({ maxQueueSize, now }, notes)
      const deferred = countDeferred(maxDeferred, notes)
      const capacity = findRoom({ maxQueueSize, now }, notes)
      if (capacity.outcome === 'free' && deferred === 0) {
        const run = enqueue({ run: admit.run, rules, resolved, now }, notes)
        if (key) dedups.put(key, now)
        insert(delivery, { outcome: 'accepted', runId: run.id })
        return { outcome: 'accepted', run }
      }
      if (deferred < maxDeferred) {
        notes.set(DEFERRED, deferred + 1)
        if (key) dedups.put(key, now)
        insert(delivery, { outcome: 'deferred', respondBy: null })
        return { outcome: 'deferred' }
      }
      return record(delivery, 'queue_full', toQueueFull(capacity, now))
    },

    /** Writes down a webhook that cannot start anything; its body is not kept. */
    refuseWebhook({ delivery, reason }: RefuseWebhook): void {
      if (!pipelines.findRules(delivery.pipelineId)) return
      insert(delivery, { outcome: 'refused', reason, keepsBody: false, respondBy: null })
    },

    admitDeferred,
  }

  /** Starts the runs of webhooks that wait, in their order, while there is room; answers of how many. */
  function admitDeferred({ maxQueueSize, now }: Room, notes: Notes): number {
    let count = 0
    // most webhooks find nobody before them, or no room: neither needs a look at what waits
    if (
      deliveries.countDeferred(1) === 0 ||
      findRoom({ maxQueueSize, now }, notes).outcome !== 'free'
    )
      return count
    notes.delete(DEFERRED)
    for (const { id, pipelineId, event, requestId } of deliveries.listDeferred(DEFERRED_BATCH)) {
      const rules = pipelines.findRules(pipelineId)
      if (!rules) throw new Error(`delivery ${id} has no pipeline`)
      if (findRoom({ maxQueueSize, now }, notes).outcome !== 'free') break
      const inputs = defaultInputs(pipelineInputs.find(pipelineId))
      const triggerInput = toTriggerInput(event, inputs)
      const rule = rules.concurrency
      const resolved = { rule, ...resolveGroup(pipelineId, rule, triggerInput) }
      const triggeredBy = triggeredByOf(event)
      const run = { id: newRunId(), pipelineId, triggerInput, triggeredBy, requestId }
      enqueue({ run: { ...run, triggerType: 'webhook' }, rules, resolved, now }, notes)
      deliveries.accept(id, run.id)
      count++
    }
    return count
  }

  /** How many wait for room, counted no further than `limit`. */
  function countDeferred(limit: number, notes: Notes): number {
    const count = notes.get(DEFERRED) ?? deliveries.countDeferred(limit)
    notes.set(DEFERRED, count)
    return count
  }

  function recordDuplicate(delivery: IncomingDelivery, firstId: string): WebhookAdmission {
    const first = deliveries.find(firstId)
    const runId = first?.runId ?? null
    insert(delivery, { outcome: 'duplicate', firstId, runId, keepsBody: false, respondBy: null })
    return { outcome: 'duplicate', first, run: runId === null ? undefined : runs.find(runId) }
  }

  function record<Refused extends WebhookAdmission>(
    delivery: IncomingDelivery,
    reason: string,
    refused: Refused,
  ): Refused {
    insert(delivery, { outcome: 'refused', reason, respondBy: null })
    return refused
  }

  function insert(delivery: IncomingDelivery, how: Outcome): void {
    deliveries.insert({ ...delivery, reason: '', runId: null, keepsBody: true, ...how })
  }

  function findRoom({ maxQueueSize, now }: Room, notes: Notes) {
    const count = (limit: number): number => notes.get(QUEUED) ?? runs.countQueued(limit)
    const checked = checkCapacity({ runs, executors }, { maxQueueSize, now, count })
    if (checked.outcome === 'free') notes.set(QUEUED, checked.queued)
    return checked
  }

  function enqueue(
    input: { run: RuledRun; rules: QueueRules; resolved: RuledGroup; now: number },
    notes: Notes,
  ): Run {
    const { run, hasSuperseded } = enqueueRun(tables, input)
    const queued = notes.get(QUEUED)
    if (hasSuperseded) notes.delete(QUEUED)
    else if (run.status === 'queued' && queued !== undefined) notes.set(QUEUED, queued + 1)
    return run
  }

  /** There may be a little room that older webhooks will take. */
  function toQueueFull(capacity: ReturnType<typeof checkCapacity>, now: number): QueueFull {
    if (capacity.outcome === 'queue_full') return capacity
    const maxInFlight = executors.totalCapacity(now)
    return { outcome: 'queue_full', inFlight: runs.countRunning(maxInFlight), maxInFlight }
  }
}

/** A note: how many webhooks wait for room. */
const DEFERRED = 'deferred webhooks'

/** Runs that one transaction starts of webhooks that wait. */
const DEFERRED_BATCH = 10

/** Who has triggered a run, as it is on the wire. */
export function triggeredByOf({ provider, eventType }: WebhookInput): string {
  return eventType === '' ? provider : `${provider}:${eventType}`
}

/** What the run of a webhook is started with. */
export function toTriggerInput(
  webhook: WebhookInput,
  inputs: Record<string, InputValue>,
): TriggerInput {
  return { ...(Object.keys(inputs).length > 0 && { inputs }), webhook }
}

/** What is known of a delivery before anybody has decided about it. */
export type IncomingDelivery = Omit<NewDelivery, 'outcome' | 'reason' | 'runId' | 'keepsBody'>

interface Room {
  maxQueueSize: number
  now: number
}

type Outcome = Pick<NewDelivery, 'outcome'> & Partial<NewDelivery>

export interface AdmitWebhook {
  delivery: IncomingDelivery
  /** Of what its provider calls it; undefined: it is a new one in any case. */
  keyHash: Uint8Array | undefined
  /** The run that it starts. */
  run: RuledRun
  resolved: RuledGroup
  maxQueueSize: number
  maxDeferred: number
  dedupTtlMs: number
  now: number
}

export interface RefuseWebhook {
  delivery: IncomingDelivery
  /** An error code. */
  reason: string
}

export type WebhookAdmission =
  | { outcome: 'accepted'; run: Run }
  | { outcome: 'deferred' }
  /** `first` and `run` are what is still on record of when it was sent first. */
  | { outcome: 'duplicate'; first: Delivery | undefined; run: Run | undefined }
  | { outcome: 'rule_changed'; rule: ConcurrencyRule }
  | { outcome: 'pipeline_not_found' }
  | { outcome: 'paused' }
  | QueueFull
