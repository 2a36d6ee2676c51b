import { z } from 'zod'
import { JOURNAL_SEQ } from './claim-runs.js'
import type { Db } from './open.js'

/** How long volumes of runs that have ended stay, and of how many runs; 0 ms: they go with the run. */
export interface KeepRule {
  keepMs: number
  maxRuns: number
}

/** The volumes of a run that stay. */
export interface KeptVolumes {
  /** Unix milliseconds; of a run that has ended. */
  until: number
  /** Null: its containers are not removed yet. */
  names: string[] | null
}

export type KeptVolumesTable = ReturnType<typeof createKeptVolumes>

const namesSchema = z.array(z.string())

/**
 * The SQL of table `kept_volumes`. Methods that give volumes up make a row of `run_cleanups`, which keeps
 * the run from being claimed: a resume either finds all volumes or knows that there are none.
 */
export function createKeptVolumes(db: Db) {
  const hasEnded = `exists (
    select 1 from runs where runs.id = kept_volumes.run_id and runs.status in ('success', 'failed', 'skipped'))`
  // a working directory is whole when the pipeline has begun; a row from before says that it was
  const keep = db.prepare<[Record<string, unknown>]>(
    `insert into kept_volumes (run_id, driver, pipeline_id, kept_at, kept_until)
     select id, driver, pipeline_id, @now, @until from runs
     where id = @runId and driver is not null and (
       exists (select 1 from kept_volumes where run_id = @runId)
       or (has_upload = 1 and ${JOURNAL_SEQ} > 0)
       or exists (select 1 from tasks where run_id = @runId and has_mounts = 1 and effect is not null))
     on conflict (run_id) do update
       set kept_at = excluded.kept_at, kept_until = excluded.kept_until, names = null`,
  )
  const find = db.prepare<[string], { until: number; names: string | null }>(
    'select kept_until as until, names from kept_volumes where run_id = ?',
  )
  const setNames = db.prepare<[string, string]>(
    'update kept_volumes set names = ? where run_id = ?',
  )
  const forget = db.prepare<[string]>('delete from kept_volumes where run_id = ?')
  const giveUp = db.prepare<[Record<string, unknown>]>(
    `insert or ignore into run_cleanups (run_id, driver, pipeline_id, due_at)
     select run_id, driver, pipeline_id, @now from kept_volumes where run_id = @runId`,
  )
  const overdue = db
    .prepare<[{ now: number; limit: number }], string>(
      `select run_id from kept_volumes where kept_until <= @now and ${hasEnded}
       order by kept_until limit @limit`,
    )
    .pluck()
  const tooMany = db
    .prepare<[{ maxRuns: number }], string>(
      `select run_id from kept_volumes where ${hasEnded}
       order by kept_at desc, run_id limit -1 offset @maxRuns`,
    )
    .pluck()

  const isKept = (runId: string): boolean => find.get(runId) !== undefined
  const giveUpAll = (runIds: readonly string[], now: number): void => {
    for (const runId of runIds) {
      giveUp.run({ runId, now })
      forget.run(runId)
    }
  }

  return {
    isKept,

    find(runId: string): KeptVolumes | undefined {
      const row = find.get(runId)
      if (!row) return undefined
      const { until, names } = row
      return { until, names: names === null ? null : namesSchema.parse(JSON.parse(names)) }
    },

    /**
     * Decides about the volumes of a run that has just ended, in the transaction that ends it. True:
     * they stay, if it has any that a step or the run itself would need.
     */
    decide(runId: string, { keepMs, maxRuns }: KeepRule, now: number): boolean {
      if (keepMs === 0) {
        forget.run(runId)
        return false
      }
      keep.run({ runId, now, until: now + keepMs })
      giveUpAll(tooMany.all({ maxRuns }), now)
      return isKept(runId)
    },

    /** Which ones are there. False: they were given up meanwhile. */
    setNames: (runId: string, names: readonly string[]): boolean =>
      setNames.run(JSON.stringify(names), runId).changes === 1,

    /** They are gone: nothing is left to remove. */
    forget: (runId: string): void => void forget.run(runId),

    /** Runs whose volumes have stayed for long enough. */
    listOverdue: (now: number, limit: number): string[] => overdue.all({ now, limit }),

    /** Gives those up that are overdue; they are removed like all that an ended run has left. */
    giveUpOverdue(now: number, limit: number): string[] {
      const runIds = overdue.all({ now, limit })
      giveUpAll(runIds, now)
      return runIds
    },
  }
}
