import type { Db } from './open.js'

/**
 * The SQL of table `uploads`: which file of the spool belongs to a run. A row goes with its run, or
 * when the run ends; its file is then removed by whoever notices.
 */
export function createUploads(db: Db) {
  const insert = db.prepare<[string, string]>('insert into uploads (run_id, name) values (?, ?)')
  const nameOf = db.prepare<[string], string>('select name from uploads where run_id = ?').pluck()
  const owned = db.prepare<[string], number>('select 1 from uploads where name = ?').pluck()

  return {
    insert: (runId: string, name: string): void => void insert.run(runId, name),
    findName: (runId: string): string | undefined => nameOf.get(runId),
    isOwned: (name: string): boolean => owned.get(name) === 1,
  }
}
