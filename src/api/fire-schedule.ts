import { checkAdmission } from '../shared/admission/check-admission.js'
import { resolveGroup } from '../shared/admission/concurrency-group.js'
import { enqueueRun, type EnqueueTables } from '../shared/admission/enqueue-run.js'
import type { createExecutors } from '../shared/db/executors.js'
import type { Pipelines, QueueRules } from '../shared/db/pipelines.js'
import type { Run } from '../shared/db/runs.js'
import type { DueSchedule, Schedule, Schedules } from '../shared/db/schedules.js'
import { nextRun } from '../shared/schedules/next-run.js'

export interface FireSchedule {
  due: DueSchedule
  /** The id of the new run, if there will be one. */
  runId: string
  maxQueueSize: number
  now: number
}

/** What came of a schedule that was due. */
export type Firing =
  | { outcome: 'fired'; run: Run; schedule: Schedule }
  /** Its pipeline is paused: this time does not count. */
  | { outcome: 'paused'; schedule: Schedule }
  /** It is still due. */
  | { outcome: 'queue_full'; schedule: Schedule }
  /** It is not due any more: somebody was faster, or has changed it. */
  | { outcome: 'outdated' }

export interface FiringTables extends EnqueueTables {
  pipelines: Pipelines
  executors: ReturnType<typeof createExecutors>
  schedules: Schedules
}

/**
 * Queues the run of a schedule that is due and says when it is due next. Part of one transaction, so
 * that there is a run if and only if the schedule has gone on from that time.
 */
export function fireSchedule(
  tables: FiringTables,
  { due, runId, maxQueueSize, now }: FireSchedule,
): Firing {
  const { schedules } = tables
  const schedule = schedules.find(due.id)
  if (schedule?.nextRunAt !== due.dueAt) return { outcome: 'outdated' }
  const { pipelineId } = schedule
  const checked = checkAdmission(tables, { pipelineId, maxQueueSize, now })
  const nextRunAt = nextRun(schedule, now, due.dueAt)
  switch (checked.outcome) {
    case 'pipeline_not_found':
      throw new Error(`schedule ${due.id} has no pipeline`)
    case 'queue_full':
      return { outcome: 'queue_full', schedule }
    case 'paused':
      goOn(schedules, due, { nextRunAt, lastRunAt: null })
      return { outcome: 'paused', schedule }
    case 'free':
      goOn(schedules, due, { nextRunAt, lastRunAt: now })
      return {
        ...{ outcome: 'fired', schedule },
        run: startRun(tables, { schedule, rules: checked.rules, runId, now }),
      }
  }
}

function goOn(
  schedules: Schedules,
  due: DueSchedule,
  next: { nextRunAt: number; lastRunAt: number | null },
): void {
  if (!schedules.advance(due, next)) throw new Error(`schedule ${due.id} is not as it was read`)
}

interface StartRun {
  schedule: Schedule
  rules: QueueRules
  runId: string
  now: number
}

function startRun(tables: EnqueueTables, { schedule, rules, runId, now }: StartRun): Run {
  const { pipelineId, name, triggerInput } = schedule
  const { concurrency: rule } = rules
  const run = {
    ...{ id: runId, pipelineId, triggerInput, requestId: '' },
    triggerType: 'schedule' as const,
    triggeredBy: `schedule:${name}`,
  }
  const resolved = { rule, ...resolveGroup(pipelineId, rule, triggerInput) }
  return enqueueRun(tables, { run, rules, resolved, now }).run
}
