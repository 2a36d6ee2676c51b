import type { Db } from './open.js'

/** A run that has ended and whose containers and volumes may still be there. */
export interface RunCleanup {
  runId: string
  driver: string
}

/** The SQL of table `run_cleanups`; the end of a run inserts its row. */
export function createRunCleanups(db: Db) {
  const due = db.prepare<[number, number], RunCleanup>(
    'select run_id as runId, driver from run_cleanups where due_at <= ? order by due_at limit ?',
  )
  const postpone = db.prepare<[number, string]>(
    'update run_cleanups set due_at = ? where run_id = ?',
  )
  const remove = db.prepare<[string]>('delete from run_cleanups where run_id = ?')

  return {
    /** Up to `limit` that nobody has seen to in time. */
    listDue: (now: number, limit: number): RunCleanup[] => due.all(now, limit),
    postpone: (runId: string, dueAt: number): void => void postpone.run(dueAt, runId),
    remove: (runId: string): void => void remove.run(runId),
  }
}
