import type { createExecutors } from '../db/executors.js'
import type { Pipelines } from '../db/pipelines.js'
import type { Runs } from '../db/runs.js'

/** Why no run of a pipeline is accepted now. */
export type Refusal =
  | { outcome: 'pipeline_not_found' }
  | { outcome: 'paused' }
  | { outcome: 'queue_full'; inFlight: number; maxInFlight: number }

export interface AdmissionTables {
  pipelines: Pick<Pipelines, 'findPaused'>
  runs: Pick<Runs, 'countQueued' | 'countRunning'>
  executors: Pick<ReturnType<typeof createExecutors>, 'totalCapacity'>
}

export interface AdmissionQuery {
  pipelineId: string
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
  { pipelines, runs, executors }: AdmissionTables,
  { pipelineId, maxQueueSize, now, count = runs.countQueued }: AdmissionQuery,
): Refusal | { outcome: 'free'; queued: number } {
  const isPaused = pipelines.findPaused(pipelineId)
  if (isPaused === undefined) return { outcome: 'pipeline_not_found' }
  if (isPaused) return { outcome: 'paused' }
  const capacity = executors.totalCapacity(now)
  const running = runs.countRunning(capacity)
  const allowed = capacity - running + maxQueueSize
  const queued = count(allowed)
  if (queued >= allowed) return { outcome: 'queue_full', inFlight: running, maxInFlight: capacity }
  return { outcome: 'free', queued }
}
