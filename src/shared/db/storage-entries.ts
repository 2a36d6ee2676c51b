import type { Db } from './open.js'

export interface StorageEntry {
  id: number
  key: string
  /** JSON text. */
  payload: string
}

/** Who a key belongs to; a run's own keys are removed with the run. */
export interface StorageScope {
  pipelineId: string
  runId: string | null
}

export type StorageEntries = ReturnType<typeof createStorageEntries>

/** The SQL of table `storage_entries`: the key space of the `storage` global, one per pipeline. */
export function createStorageEntries(db: Db) {
  const find = db.prepare<[string, string], StorageEntry>(
    'select id, key, payload from storage_entries where pipeline_id = ? and key = ?',
  )
  const upsert = db.prepare<[Record<string, unknown>]>(
    `insert into storage_entries (pipeline_id, run_id, key, payload, updated_at)
     values (@pipelineId, @runId, @key, @payload, @now)
     on conflict (pipeline_id, key) do update set payload = excluded.payload, updated_at = excluded.updated_at`,
  )
  // a range scan of the unique index; the upper bound is the prefix followed by the last code point
  const list = db.prepare<[Record<string, unknown>], StorageEntry>(
    `select id, key, payload from storage_entries
     where pipeline_id = @pipelineId and key >= @prefix and key < @end order by id limit @limit`,
  )

  return {
    find: (pipelineId: string, key: string): StorageEntry | undefined => find.get(pipelineId, key),

    upsert: (scope: StorageScope, key: string, payload: string, now: number): void =>
      void upsert.run({ ...scope, key, payload, now }),

    /** Up to `limit` entries whose key starts with the prefix, in order of first write. */
    list: (pipelineId: string, prefix: string, limit: number): StorageEntry[] =>
      list.all({ pipelineId, prefix, end: `${prefix}\u{10FFFF}`, limit }),
  }
}
