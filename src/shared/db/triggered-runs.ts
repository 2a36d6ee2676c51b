import { z } from 'zod'
import type { Db } from './open.js'

/** The answer to a call: a run, or why there is none. */
export interface TriggeredRun {
  /** The new run; null when it was refused. */
  childId: string | null
  /** Why it was refused. */
  error: string
}

export type TriggeredRuns = ReturnType<typeof createTriggeredRuns>

/** The SQL of table `triggered_runs`, and of the chain of callers of a run. */
export function createTriggeredRuns(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert or replace into triggered_runs (run_id, number, child_id, error, awaited)
     values (@runId, @number, @childId, @error, @awaited)`,
  )
  const find = db.prepare<[string, number], TriggeredRun>(
    'select child_id as childId, error from triggered_runs where run_id = ? and number = ?',
  )
  const forget = db.prepare<[string]>('delete from triggered_runs where run_id = ?')
  // a run waits for the runs that it awaits, and for the holder of its group
  const deadlock = db
    .prepare<[{ runId: string; group: string }], number>(
      `with recursive above (id) as (
         values (@runId)
         union
         select triggered_runs.run_id from triggered_runs join above on child_id = above.id
           where awaited = 1),
       ahead (id) as (
         select id from runs where held_group = @group
         union
         select child_id from ahead
           join triggered_runs on triggered_runs.run_id = ahead.id and awaited = 1
           join runs child on child.id = child_id and child.status in ('queued', 'running')
         union
         select holder.id from ahead
           join runs waiting on waiting.id = ahead.id and waiting.status = 'queued'
           join runs holder on holder.held_group = waiting.concurrency_group
       )
       select 1 from above join runs on runs.id = above.id where concurrency_group = @group
       union all
       select 1 from above join ahead using (id) limit 1`,
    )
    .pluck()
  const callers = db.prepare<[string], string>('select callers from runs where id = ?').pluck()
  const setCallers = db.prepare<[string, string]>('update runs set callers = ? where id = ?')

  return {
    insert: (runId: string, call: TriggeredRun & { number: number; isAwaited: boolean }): void =>
      void insert.run({ ...call, runId, awaited: Number(call.isAwaited) }),

    /** The answer to the call of a run by this number. */
    find: (runId: string, number: number): TriggeredRun | undefined => find.get(runId, number),

    /** Its caller starts anew and calls again. */
    forget: (runId: string): void => void forget.run(runId),

    /**
     * Whether a run that waited for a new one of a concurrency group would wait for itself: that group
     * is its own or of one that waits for it, or whoever holds it waits for one of those.
     */
    isDeadlock: (runId: string, group: string): boolean =>
      group !== '' && deadlock.get({ runId, group }) === 1,

    /** Ids of the pipelines behind a run, the first caller first. */
    listCallers: (runId: string): string[] =>
      z.array(z.string()).parse(JSON.parse(callers.get(runId) ?? '[]')),

    setCallers: (runId: string, pipelineIds: readonly string[]): void =>
      void setCallers.run(JSON.stringify(pipelineIds), runId),
  }
}
