import type { ConcurrencyRule } from '../contract/queue-rules.js'
import type { RunStatus } from '../contract/statuses.js'
import type { QueueRules } from '../db/pipelines.js'
import type { EarlyEnd, NewRun, Run, Runs, StopCause } from '../db/runs.js'
import type { createTasks } from '../db/tasks.js'
import type { ResolvedGroup } from './concurrency-group.js'

/** A run that is under the rules of its pipeline. */
export type RuledRun = Omit<NewRun, 'priority' | 'labels' | 'concurrencyGroup'>

/** Its concurrency group, and the rule that gave it. */
export type RuledGroup = ResolvedGroup & { rule: ConcurrencyRule }

export interface Enqueue {
  run: RuledRun
  rules: QueueRules
  resolved: RuledGroup
  now: number
}

export interface EnqueueTables {
  runs: Runs
  tasks: ReturnType<typeof createTasks>
}

/** The error of a run whose concurrency group could not be named. */
export const NO_GROUP = 'concurrency_group'

/**
 * Inserts a run for which there is room. The concurrency rule may end it in that moment, or those of
 * its group before it. Part of a transaction that has read the rules.
 */
export function enqueueRun(
  tables: EnqueueTables,
  { run, rules, resolved, now }: Enqueue,
): { run: Run; hasSuperseded: boolean } {
  const { runs } = tables
  const { concurrency, priority, labels } = rules
  const concurrencyGroup = 'group' in resolved ? resolved.group : ''
  const end = findEarlyEnd(resolved, runs.findOldestInGroup(concurrencyGroup))
  const peers = concurrency.cancelsRunning ? runs.findActiveInGroup(concurrencyGroup) : []
  const accepted = runs.insert({ ...run, priority, labels, concurrencyGroup }, now, end)
  if (end) return { run: accepted, hasSuperseded: false }
  for (const peer of peers) supersede(tables, peer, run.id, now)
  return { run: accepted, hasSuperseded: peers.length > 0 }
}

/** What its concurrency rule makes of a run at once; undefined: it is queued. */
function findEarlyEnd(resolved: RuledGroup, peer?: string): EarlyEnd | undefined {
  if ('error' in resolved)
    return { status: 'failed', errorCode: NO_GROUP, errorMessage: resolved.error }
  if (resolved.rule.mode !== 'skip-if-running' || peer === undefined) return undefined
  const errorMessage = `skipped: pipeline already running (peer run ${peer})`
  return { status: 'skipped', errorCode: 'already_running', errorMessage }
}

/** Nothing of a run that has begun may be left behind, so it ends like one that is stopped. */
function supersede(
  { runs, tasks }: EnqueueTables,
  peer: { id: string; status: RunStatus },
  by: string,
  now: number,
): void {
  const cause: StopCause = { code: 'superseded', message: `superseded by run ${by}` }
  if (peer.status === 'running') runs.requestStop(peer.id, `run ${by}`, now, cause)
  else if (!runs.skipQueued(peer.id, cause, now)) {
    runs.failQueued(peer.id, `run ${by}`, cause, now)
    tasks.endOpen(peer.id, { status: 'aborted', errorMessage: cause.message }, now)
  }
}
