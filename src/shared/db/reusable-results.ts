import type { Db } from './open.js'

/** What a step of an earlier generation of a run came to. */
export interface ReusableResult {
  /** JSON text, as it was journalled. */
  value: string
  /** Its task and the key of its output. */
  step: number
}

export type ReusableResults = ReturnType<typeof createReusableResults>

/** The SQL of table `reusable_results`. */
export function createReusableResults(db: Db) {
  const find = db.prepare<[string, Uint8Array, number], ReusableResult>(
    `select value, step from reusable_results where run_id = ? and args_hash = ? and occurrence = ?`,
  )
  const dropAsked = db.prepare<[Record<string, unknown>]>(
    `delete from reusable_results where run_id = @runId and (@beforeEffect is not null
       or occurrence < (
         select count(*) from journal
         where journal.run_id = @runId and kind = 'intent' and name = 'runtime.run'
           and journal.args_hash = reusable_results.args_hash))`,
  )
  // only what ended well: whatever else a step came to is done again
  const collect = db.prepare<[Record<string, unknown>]>(
    `insert into reusable_results (run_id, args_hash, occurrence, value, step)
     select @runId, asked.args_hash, asked.occurrence, ended.value, tasks.step
     from (
       select effect, args_hash, row_number() over (partition by args_hash order by effect) - 1 as occurrence
       from journal where run_id = @runId and kind = 'intent' and name = 'runtime.run') as asked
     join tasks on tasks.run_id = @runId and tasks.effect = asked.effect
       and tasks.has_mounts <= @withMounts
     join journal as ended on ended.run_id = @runId and ended.kind = 'result'
       and ended.effect = asked.effect and ended.outcome = 'resolve'
     where json_extract(ended.value, '$.status') = 'complete' and json_extract(ended.value, '$.code') = 0
       and (@beforeEffect is null or asked.effect < @beforeEffect)`,
  )

  const dropMounted = db.prepare<[{ runId: string }]>(
    `delete from reusable_results where run_id = @runId
       and step in (select step from tasks where run_id = @runId and has_mounts = 1)`,
  )

  return {
    find: (runId: string, argsHash: Uint8Array, occurrence: number): ReusableResult | undefined =>
      find.get(runId, argsHash, occurrence),

    /**
     * Makes the results of a run's journal reusable, and forgets those of earlier generations that it
     * replaces. Results of steps with mounts are only while the run's volumes are there. With
     * `beforeEffect` only results of what was asked for before it stay.
     */
    collect(
      runId: string,
      { beforeEffect, hasVolumes }: { beforeEffect: number | null; hasVolumes: boolean },
    ): void {
      dropAsked.run({ runId, beforeEffect })
      collect.run({ runId, beforeEffect, withMounts: Number(hasVolumes) })
      if (!hasVolumes) dropMounted.run({ runId })
    },

    /** The run's volumes are gone: steps with mounts are done again. */
    dropMounted: (runId: string): void => void dropMounted.run({ runId }),
  }
}
