import type { Db } from './open.js'
import type { Claim } from './runs.js'

/**
 * A row of a run's journal: what the pipeline asked of the host and what came back, numbered in
 * the order in which it entered the sandbox. Replay feeds a new sandbox from it.
 */
export type JournalEntry =
  | {
      kind: 'intent'
      seq: number
      effect: number
      name: string
      /** Its place among the effects of that name, from 0. */
      occurrence: number
      /** The effect that it belongs to (a sandbox, for its execs); 0: the run. */
      parent: number
      argsHash: Buffer
      at: number
    }
  | {
      kind: 'result'
      seq: number
      effect: number
      outcome: 'resolve' | 'reject'
      /** JSON text. */
      value: string
      at: number
    }
  /** Output up to and with this chunk of the step's log was handed to the guest. */
  | { kind: 'output'; seq: number; effect: number; value: string; at: number }

export type Journal = ReturnType<typeof createJournal>

/** The SQL of table `journal`. */
export function createJournal(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into journal (run_id, seq, attempt, kind, effect, name, occurrence, parent, args_hash, outcome, value, at)
     select @runId, @seq, @attempt, @kind, @effect, @name, @occurrence, @parent, @argsHash, @outcome, @value, @at
     where exists (select 1 from runs where id = @runId and status = 'running' and attempt = @attempt)`,
  )
  const isEmpty = db
    .prepare<[string], number>('select not exists (select 1 from journal where run_id = ?)')
    .pluck()

  return {
    /** False: the claim no longer owns the run, and nothing was written. */
    append: (claim: Claim, entry: JournalEntry): boolean =>
      insert.run({ ...EMPTY, ...claim, ...entry }).changes === 1,

    isEmpty: (runId: string): boolean => isEmpty.get(runId) === 1,
  }
}

const EMPTY = {
  name: null,
  occurrence: null,
  parent: null,
  argsHash: null,
  outcome: null,
  value: null,
}
