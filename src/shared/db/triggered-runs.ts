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
  const callers = db.prepare<[string], string>('select callers from runs where id = ?').pluck()
  const setCallers = db.prepare<[string, string]>('update runs set callers = ? where id = ?')

  return {
    insert: (runId: string, call: TriggeredRun & { number: number; isAwaited: boolean }): void =>
      void insert.run({ ...call, runId, awaited: Number(call.isAwaited) }),

    /** The answer to the call of a run by this number. */
    find: (runId: string, number: number): TriggeredRun | undefined => find.get(runId, number),

    /** Ids of the pipelines behind a run, the first caller first. */
    listCallers: (runId: string): string[] =>
      z.array(z.string()).parse(JSON.parse(callers.get(runId) ?? '[]')),

    setCallers: (runId: string, pipelineIds: readonly string[]): void =>
      void setCallers.run(JSON.stringify(pipelineIds), runId),
  }
}
