import type { OutputStream } from '../contract/statuses.js'
import type { Db } from './open.js'

/** A piece of a step's output, redacted. Chunks may end inside a UTF-8 sequence. */
export interface LogChunk {
  /** Order of commit over the whole database. */
  id: number
  step: number
  /** Position in the step's output, from 1. */
  seq: number
  stream: OutputStream
  at: number
  bytes: Buffer
}

export interface NewLogChunk {
  runId: string
  step: number
  seq: number
  stream: OutputStream
  at: number
  bytes: Uint8Array
}

export type LogChunks = ReturnType<typeof createLogChunks>

/** The SQL of table `log_chunks`, in the log database. */
export function createLogChunks(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into log_chunks (run_id, step, seq, stream, at, bytes)
     values (@runId, @step, @seq, @stream, @at, @bytes)
     on conflict (run_id, step, seq) do nothing`,
  )
  const columns = 'id, step, seq, stream, at, bytes'
  const ofRun = db.prepare<[string, number, number], LogChunk>(
    `select ${columns} from log_chunks where run_id = ? and id > ? order by id limit ?`,
  )
  const ofStep = db.prepare<[string, number, number, number], LogChunk>(
    `select ${columns} from log_chunks where run_id = ? and step = ? and seq > ? order by seq limit ?`,
  )
  // the length of a blob is known without reading it
  const sizeOfStep = db
    .prepare<[string, number], number>(
      'select coalesce(sum(length(bytes)), 0) from log_chunks where run_id = ? and step = ?',
    )
    .pluck()
  const lastOfStep = db
    .prepare<[string, number], number>(
      'select coalesce(max(seq), 0) from log_chunks where run_id = ? and step = ?',
    )
    .pluck()
  const backwards = db.prepare<[string, number], { seq: number; size: number }>(
    `select seq, length(bytes) as size from log_chunks where run_id = ? and step = ? order by seq desc`,
  )
  const purge = db.prepare<[string, number]>(
    'delete from log_chunks where id in (select id from log_chunks where run_id = ? limit ?)',
  )

  return {
    /** Repeating a chunk (run, step, seq) changes nothing. */
    insert: (chunk: NewLogChunk): void => void insert.run({ ...chunk }),

    /** Up to `limit` chunks of a run behind `afterId`, in order of commit. */
    listOfRun: (runId: string, afterId: number, limit: number): LogChunk[] =>
      ofRun.all(runId, afterId, limit),

    /** Up to `limit` chunks of one step behind `afterSeq`. */
    listOfStep: (runId: string, step: number, afterSeq: number, limit: number): LogChunk[] =>
      ofStep.all(runId, step, afterSeq, limit),

    /** Bytes of output that a step has. */
    sizeOfStep: (runId: string, step: number): number => sizeOfStep.get(runId, step) ?? 0,

    /** Number of the last chunk of a step; 0 when there is none. */
    lastSeqOf: (runId: string, step: number): number => lastOfStep.get(runId, step) ?? 0,

    /** Behind which chunk at least the last `bytes` of a step lie; 0 when that is all of it. */
    findTailStart(runId: string, step: number, bytes: number): number {
      let left = bytes
      for (const { seq, size } of backwards.iterate(runId, step)) {
        left -= size
        if (left <= 0) return seq - 1
      }
      return 0
    },

    /** Deletes up to `limit` chunks of a run; answers how many. */
    purge: (runId: string, limit: number): number => purge.run(runId, limit).changes,
  }
}
