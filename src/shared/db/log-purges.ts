import type { Db } from './open.js'

/** The SQL of table `log_purges`: runs that are gone and whose output an executor still has to remove. */
export function createLogPurges(db: Db) {
  const next = db.prepare<[], string>('select run_id from log_purges limit 1').pluck()
  const remove = db.prepare<[string]>('delete from log_purges where run_id = ?')

  return {
    findNext: (): string | undefined => next.get(),
    remove: (runId: string): void => void remove.run(runId),
  }
}
