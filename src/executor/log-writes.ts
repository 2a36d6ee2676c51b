import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { createLogChunks, type NewLogChunk } from '../shared/db/log-chunks.js'
import type { Db } from '../shared/db/open.js'

/** All that an executor changes in the log database: the operations of its second writer thread. */
export type LogWrites = ReturnType<typeof createOperations>

/** Chunks removed in one transaction: about 8 MiB of output. */
const PURGE_BATCH = 128

export function createOperations(db: Db) {
  const chunks = createLogChunks(db)
  return {
    append(batch: NewLogChunk[]): void {
      for (const chunk of batch) chunks.insert(chunk)
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
    purge: ({ runId }: { runId: string }): boolean =>
      chunks.purge(runId, PURGE_BATCH) < PURGE_BATCH,
  }
}
