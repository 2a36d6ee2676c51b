import type { Db } from './open.js'

/** How far the output of a step is stored. */
export interface LogPosition {
  /** Which try of the step wrote it; from 1. */
  try: number
  /** The chunk behind which that try's output begins. */
  firstSeq: number
  /** Bytes of the driver's streams that the stored chunks stand for. */
  stdout: number
  stderr: number
  /** Bytes that were cut off within those. */
  dropped: number
  /** Nothing more comes. */
  isOver: boolean
}

export type LogPositions = ReturnType<typeof createLogPositions>

/** The SQL of tables `log_positions` and `log_attempts`, in the log database. */
export function createLogPositions(db: Db) {
  const find = db.prepare<[string, number], Omit<LogPosition, 'isOver'> & { isOver: number }>(
    `select try, first_seq as firstSeq, stdout, stderr, dropped, is_over as isOver
     from log_positions where run_id = ? and step = ?`,
  )
  const set = db.prepare<[Record<string, unknown>]>(
    `insert into log_positions (run_id, step, try, first_seq, stdout, stderr, dropped, is_over)
     values (@runId, @step, @try, @firstSeq, @stdout, @stderr, @dropped, @isOver)
     on conflict (run_id, step) do update set try = excluded.try, first_seq = excluded.first_seq,
       stdout = excluded.stdout, stderr = excluded.stderr, dropped = excluded.dropped,
       is_over = excluded.is_over`,
  )
  const own = db.prepare<[string, number]>(
    `insert into log_attempts (run_id, attempt) values (?, ?)
     on conflict (run_id) do update set attempt = max(attempt, excluded.attempt)`,
  )
  const owner = db
    .prepare<[string], number>('select attempt from log_attempts where run_id = ?')
    .pluck()
  const removePositions = db.prepare<[string]>('delete from log_positions where run_id = ?')
  const removeAttempts = db.prepare<[string]>('delete from log_attempts where run_id = ?')

  return {
    find(runId: string, step: number): LogPosition | undefined {
      const row = find.get(runId, step)
      return row && { ...row, isOver: row.isOver === 1 }
    },

    set: (runId: string, step: number, position: LogPosition): void =>
      void set.run({ ...position, runId, step, isOver: Number(position.isOver) }),

    /** From now on no earlier attempt appends. */
    own: (runId: string, attempt: number): void => void own.run(runId, attempt),

    isOwned: (runId: string, attempt: number): boolean => attempt >= (owner.get(runId) ?? 0),

    remove(runId: string): void {
      removePositions.run(runId)
      removeAttempts.run(runId)
    },
  }
}
