import { AppError } from '../../src/shared/errors.js'
import type { Db } from '../../src/shared/db/open.js'

/** Operations of a writer for tests, on a small table of the real schema. */
export type TestWrites = ReturnType<typeof createOperations>

export function createOperations(db: Db) {
  const insert = db.prepare('insert into log_purges (run_id) values (?)')
  return {
    purge: ({ runId }: { runId: string }): void => void insert.run(runId),
    purgeThenFail({ runId }: { runId: string }): void {
      insert.run(runId)
      throw new AppError('queue_full', 'no room', { details: { runId } })
    },
    count: (_input: Record<string, never>): number =>
      Number(db.prepare('select count(*) from log_purges').pluck().get()),
    setBusyTimeout: (_input: Record<string, never>): void => void db.pragma('busy_timeout = 10'),
  }
}
