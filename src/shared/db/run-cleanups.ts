import type { Db } from './open.js'

/** A run that has ended, or is unknown, and whose containers and volumes may still be there. */
export interface RunCleanup {
  runId: string
  driver: string
  /** Whose settings lead to the driver; empty: the server's own. */
  pipelineId: string
}

/** The SQL of table `run_cleanups`; the end of a run inserts its row. */
export function createRunCleanups(db: Db) {
  const due = db.prepare<[number, number], RunCleanup>(
    `select run_id as runId, driver, pipeline_id as pipelineId from run_cleanups
     where due_at <= ? order by due_at limit ?`,
  )
  const postpone = db.prepare<[number, string]>(
    'update run_cleanups set due_at = ? where run_id = ?',
  )
  const adopt = db.prepare<[RunCleanup & { now: number }]>(
    `insert or ignore into run_cleanups (run_id, driver, pipeline_id, due_at)
     select @runId, @driver, @pipelineId, @now
     where not exists (select 1 from runs where id = @runId and status in ('queued', 'running'))
       and not exists (select 1 from kept_volumes where run_id = @runId)`,
  )
  const pending = db
    .prepare<[string], number>('select 1 from run_cleanups where run_id = ?')
    .pluck()
  const remove = db.prepare<[string]>('delete from run_cleanups where run_id = ?')

  return {
    /** Up to `limit` that nobody has seen to in time. */
    listDue: (now: number, limit: number): RunCleanup[] => due.all(now, limit),
    isPending: (runId: string): boolean => pending.get(runId) === 1,

    /**
     * What was found of a run is to be removed. False: the run has not ended or its volumes are to stay,
     * or that is so already.
     */
    adopt: (cleanup: RunCleanup, now: number): boolean =>
      adopt.run({ ...cleanup, now }).changes === 1,

    postpone: (runId: string, dueAt: number): void => void postpone.run(dueAt, runId),
    remove: (runId: string): void => void remove.run(runId),
  }
}
