import { z } from 'zod'
import { AppError } from '../errors.js'
import type { Db } from './open.js'
import type { Claim } from './runs.js'

/**
 * A row of a run's journal: what the pipeline asked of the host and what came back, numbered in
 * the order in which it entered the sandbox. Replay feeds a new sandbox from it.
 */
export type JournalEntry = IntentEntry | ResultEntry | OutputEntry

export interface IntentEntry {
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

export interface ResultEntry {
  kind: 'result'
  seq: number
  effect: number
  outcome: 'resolve' | 'reject'
  /** JSON text. */
  value: string
  at: number
}

/** Output up to and with this chunk of the step's log was handed to the guest. */
export interface OutputEntry {
  kind: 'output'
  seq: number
  effect: number
  value: string
  at: number
}

/** A delivery without its value, which may be large. */
export type RecordedDelivery = Omit<ResultEntry, 'value'> | Omit<OutputEntry, 'value'>

export type Journal = ReturnType<typeof createJournal>

/** The SQL of table `journal`. Reading throws `journal_damaged` for rows that nobody can have written. */
export function createJournal(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into journal (run_id, seq, attempt, kind, effect, name, occurrence, parent, args_hash, outcome, value, at)
     select @runId, @seq, @attempt, @kind, @effect, @name, @occurrence, @parent, @argsHash, @outcome, @value, @at
     where exists (select 1 from runs where id = @runId and status = 'running' and attempt = @attempt)`,
  )
  const isEmpty = db
    .prepare<[string], number>('select not exists (select 1 from journal where run_id = ?)')
    .pluck()
  const extent = db.prepare<[string], { rows: number; lastSeq: number }>(
    'select count(*) as rows, coalesce(max(seq), 0) as lastSeq from journal where run_id = ?',
  )
  const intents = db.prepare<[string, number, number]>(
    `select kind, seq, effect, name, occurrence, parent, args_hash as argsHash, at
     from journal where run_id = ? and kind = 'intent' and seq > ? order by seq limit ?`,
  )
  const deliveries = db.prepare<[string, number, number]>(
    `select kind, seq, effect, outcome, at
     from journal where run_id = ? and kind <> 'intent' and seq > ? order by seq limit ?`,
  )
  const clear = db.prepare<[string]>('delete from journal where run_id = ?')
  const one = db.prepare<[string, number]>(
    'select kind, seq, effect, outcome, value, at from journal where run_id = ? and seq = ?',
  )

  return {
    /** False: the claim no longer owns the run, and nothing was written. */
    append: (claim: Claim, entry: JournalEntry): boolean =>
      insert.run({ ...EMPTY, ...claim, ...entry }).changes === 1,

    /** Its run starts anew. */
    clear: (runId: string): void => void clear.run(runId),

    isEmpty: (runId: string): boolean => isEmpty.get(runId) === 1,

    /** The number of its last row; 0 when it is empty. */
    getLastSeq(runId: string): number {
      const { rows = 0, lastSeq = 0 } = extent.get(runId) ?? {}
      if (rows !== lastSeq) throw damaged(runId, `${rows} rows are there of ${lastSeq}`)
      return lastSeq
    },

    /** Up to `limit` intents behind a row, in order. */
    listIntents: (runId: string, afterSeq: number, limit: number): IntentEntry[] =>
      intents.all(runId, afterSeq, limit).map((row) => parse(intentSchema, runId, row)),

    /** Up to `limit` results and outputs behind a row, in order. */
    listDeliveries: (runId: string, afterSeq: number, limit: number): RecordedDelivery[] =>
      deliveries.all(runId, afterSeq, limit).map((row) => parse(deliverySchema, runId, row)),

    /** The whole of a result or an output. */
    getEntry: (runId: string, seq: number): ResultEntry | OutputEntry =>
      parse(entrySchema, runId, one.get(runId, seq)),
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

const count = z.number().int().min(0)
const place = { seq: count.min(1), effect: count.min(1), at: z.number() }
const outcome = z.enum(['resolve', 'reject'])

const intentSchema = z.object({
  kind: z.literal('intent'),
  ...place,
  name: z.string(),
  occurrence: count,
  parent: count,
  argsHash: z.instanceof(Buffer),
})

const deliverySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('result'), ...place, outcome }),
  z.object({ kind: z.literal('output'), ...place }),
])

const entrySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('result'), ...place, outcome, value: z.string() }),
  z.object({ kind: z.literal('output'), ...place, value: z.string().regex(/^\d{1,15}$/) }),
])

function parse<Schema extends z.ZodType>(
  schema: Schema,
  runId: string,
  row: unknown,
): z.infer<Schema> {
  const { success, data, error } = schema.safeParse(row)
  if (success) return data
  const { seq = '?' } = (row ?? {}) as { seq?: unknown }
  const [issue] = error.issues
  throw damaged(
    runId,
    `row ${String(seq)}: ${issue?.path.join('.') || 'row'}: ${issue?.message ?? 'invalid'}`,
  )
}

/** A journal that cannot be replayed: bytes on the disk have changed, or somebody has edited it. */
export function damaged(runId: string, reason: string): AppError {
  return new AppError('journal_damaged', `the journal of run ${runId} is damaged: ${reason}`)
}
