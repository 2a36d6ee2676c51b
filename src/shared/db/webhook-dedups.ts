import type { Db } from './open.js'

/** A key of one pipeline, and who comes with it. */
export interface DedupKey {
  pipelineId: string
  /** `delivery`: ids that providers give their deliveries; `pipeline`: what pipelines ask for. */
  scope: 'delivery' | 'pipeline'
  /** 16 bytes. */
  keyHash: Uint8Array
  /** Of scope `delivery` a delivery, else a run. */
  ownerId: string
}

export type WebhookDedups = ReturnType<typeof createWebhookDedups>

/** The SQL of table `webhook_dedups`. */
export function createWebhookDedups(db: Db) {
  const find = db.prepare<[DedupKey], Found>(
    `select owner_id as ownerId, created_at as createdAt, coalesce((
       select error_code in (${NOT_THE_PIPELINES.map((code) => `'${code}'`).join(', ')})
       from runs where id = iif(webhook_dedups.scope = 'pipeline', owner_id,
         (select run_id from webhook_deliveries where id = owner_id))), 0) as hasBroken
     from webhook_dedups
     where pipeline_id = @pipelineId and scope = @scope and key_hash = @keyHash`,
  )
  const put = db.prepare<[DedupKey & { now: number }]>(
    `insert into webhook_dedups (pipeline_id, scope, key_hash, owner_id, created_at)
     values (@pipelineId, @scope, @keyHash, @ownerId, @now)
     on conflict (pipeline_id, scope, key_hash) do update
       set owner_id = excluded.owner_id, created_at = excluded.created_at`,
  )
  const prune = db.prepare<[number, number]>(
    `delete from webhook_dedups where id in (
       select id from webhook_dedups where created_at < ? order by created_at limit ?)`,
  )

  const findOwner = (key: DedupKey, { now, ttlMs }: DedupTime): string | undefined => {
    const found = find.get(key)
    const isSeen = found && found.hasBroken === 0 && found.createdAt > now - ttlMs
    return isSeen ? found.ownerId : undefined
  }

  return {
    /**
     * Who came with a key before, within the time that it counts. A run that failed for no reason of its
     * own does not count.
     */
    findOwner,

    /** From now on a key is this owner's. */
    put: (key: DedupKey, now: number): void => void put.run({ ...key, now }),

    /** As `findOwner`; a key that nobody has is the caller's then. Part of the transaction that acts on it. */
    take(key: DedupKey, time: DedupTime): string | undefined {
      const owner = findOwner(key, time)
      if (owner === undefined) put.run({ ...key, now: time.now })
      return owner === key.ownerId ? undefined : owner
    },

    /** Forgets up to `limit` keys that were first seen before a time; answers how many. */
    prune: (before: number, limit: number): number => prune.run(before, limit).changes,
  }
}

export interface DedupTime {
  now: number
  ttlMs: number
}

/** Ends of runs that say nothing about what was sent. */
const NOT_THE_PIPELINES = [
  ...['executor_lost', 'executor_error', 'shutdown', 'driver_unavailable'],
  ...['registry_unavailable', 'journal_mismatch', 'journal_damaged'],
]

interface Found {
  ownerId: string
  createdAt: number
  hasBroken: number
}
