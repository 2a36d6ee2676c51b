import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { migrateStorage } from '../../src/shared/db/migrate.js'
import { openDatabase, type Db } from '../../src/shared/db/open.js'
import { createPipelines } from '../../src/shared/db/pipelines.js'
import { tempDir } from './temp-dir.js'

/** Fresh, migrated databases in a folder of the test's own. */
export function tempStorage(t: Pick<TestContext, 'after'>): string {
  const path = join(tempDir(t), 'pocketci.db')
  migrateStorage({ storage: path, secrets: path })
  return path
}

/** What else a claim says. */
export const CLAIMER = { defaultDriver: 'native', isIdle: true, labels: [] as string[] }

/** Volumes go with their runs. */
export const KEEP_NOTHING = { keepMs: 0, maxRuns: 1 }

/** A connection that is closed when the test ends. */
export function openForTest(
  t: Pick<TestContext, 'after'>,
  path: string,
  mode: 'read' | 'write',
): Db {
  const db = openDatabase(path, { mode })
  t.after(() => db.close())
  return db
}

/** Stores a pipeline that does nothing; its id is its name. */
export function insertPipeline(db: Db, name: string): void {
  createPipelines(db).upsert(
    {
      name,
      content: '',
      contentType: 'ts',
      driver: 'native',
      program: 'module.exports.pipeline = async () => {}',
      sourceMap: '{}',
    },
    name,
    Date.now(),
  )
}
