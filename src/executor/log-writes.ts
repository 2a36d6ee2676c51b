import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { createLogChunks, type NewLogChunk } from '../shared/db/log-chunks.js'
import { createLogPositions, type LogPosition } from '../shared/db/log-positions.js'
import type { Db } from '../shared/db/open.js'
import type { Claim } from '../shared/db/runs.js'

/** All that an executor changes in the log database: the operations of its second writer thread. */
export type LogWrites = ReturnType<typeof createOperations>

/** Chunks removed in one transaction: about 8 MiB of output. */
const PURGE_BATCH = 128

export function createOperations(db: Db) {
  const chunks = createLogChunks(db)
  const positions = createLogPositions(db)
  return {
    /** The runs' rows are in another database: this keeps out an executor that lost its lease. */
    own: ({ runId, attempt }: Claim): void => positions.own(runId, attempt),

    /** Chunks of one step and what they stand for. False: another attempt owns the run by now. */
    append({ claim, step, chunks: batch, position }: AppendLog): boolean {
      const { runId, attempt } = claim
      if (!positions.isOwned(runId, attempt)) return false
      for (const chunk of batch) chunks.insert({ runId, step, ...chunk })
      if (position) positions.set(runId, step, position)
      return true
    },

    /**
     * Makes all that was appended before survive a power cut. An empty transaction syncs nothing,
     * so the write-ahead log is synced directly; appends of the same group are synced with it.
     */
    sync(_input: Record<string, never>): void {
      const wal = openSync(`${db.name}-wal`, 'r')
      fdatasyncSync(wal)
      closeSync(wal)
    },

    /** Removes a part of a run's output. True when none is left. */
    purge({ runId }: { runId: string }): boolean {
      if (chunks.purge(runId, PURGE_BATCH) === PURGE_BATCH) return false
      positions.remove(runId)
      return true
    },
  }
}

export interface AppendLog {
  claim: Claim
  step: number
  chunks: Omit<NewLogChunk, 'runId' | 'step'>[]
  position: LogPosition | undefined
}
