import type { createExecutors } from '../db/executors.js'
import type { Pipelines, QueueRules } from '../db/pipelines.js'
import type { Runs } from '../db/runs.js'

/** Why no run of a pipeline is accepted now. */
export type Refusal = { outcome: 'pipeline_not_found' } | { outcome: 'paused' } | QueueFull

export interface QueueFull {
  outcome: 'queue_full'
  inFlight: number
  maxInFlight: number
}

export interface AdmissionTables {
  pipelines: Pick<Pipelines, 'findRules'>
  runs: Pick<Runs, 'countQueued' | 'countRunning'>
  executors: Pick<ReturnType<typeof createExecutors>, 'totalCapacity'>
}

export interface AdmissionQuery extends CapacityQuery {
  pipelineId: string
}

export interface CapacityQuery {
  maxQueueSize: number
  now: number
  /** How many are queued, up to a limit. */
  count?: (limit: number) => number
}

/**
 * Whether a run could be accepted. Only in the transaction that inserts it does `free` mean that
 * it will be; before that it spares a large upload that would be refused in the end.
 */
export function checkAdmission(
  tables: AdmissionTables,
  { pipelineId, ...query }: AdmissionQuery,
): Refusal | { outcome: 'free'; queued: number; rules: QueueRules } {
  const rules = tables.pipelines.findRules(pipelineId)
  if (rules === undefined) return { outcome: 'pipeline_not_found' }
  if (rules.isPaused) return { outcome: 'paused' }
  const checked = checkCapacity(tables, query)
  return checked.outcome === 'free' ? { ...checked, rules } : checked
}

/** Whether there is room for one more run, executed or queued. */
export function checkCapacity(
  { runs, executors }: Pick<AdmissionTables, 'runs' | 'executors'>,
  { maxQueueSize, now, count = runs.countQueued }: CapacityQuery,
): QueueFull | { outcome: 'free'; queued: number } {
  const capacity = executors.totalCapacity(now)
  const running = runs.countRunning(capacity)
  const allowed = capacity - running + maxQueueSize
  const queued = count(allowed)
  if (queued >= allowed) return { outcome: 'queue_full', inFlight: running, maxInFlight: capacity }
  return { outcome: 'free', queued }
}
