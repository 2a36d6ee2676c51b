import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

/** A link that shows one run to whoever has it. A link that is revoked is gone. */
export interface ShareLink {
  /** Names it; it opens nothing. */
  id: string
  runId: string
  createdBy: string
  createdAt: number
  expiresAt: number
}

export type ShareLinks = ReturnType<typeof createShareLinks>

/** The SQL of table `share_links`. */
export function createShareLinks(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into share_links (id, token_hash, run_id, created_by, created_at, expires_at)
     values (@id, @tokenHash, @runId, @createdBy, @createdAt, @expiresAt)`,
  )
  const byHash = db.prepare<[Buffer, number], ShareLink>(
    `select ${COLUMNS} from share_links where token_hash = ? and expires_at > ?`,
  )
  const window = 'where run_id = @runId and expires_at > @now'
  const list = db.prepare<[Record<string, unknown>], ShareLink>(
    `select ${COLUMNS} from share_links ${window} order by seq desc limit @limit offset @offset`,
  )
  const count = db
    .prepare<[Record<string, unknown>], number>(`select count(*) from share_links ${window}`)
    .pluck()
  const remove = db.prepare<[string, string]>('delete from share_links where run_id = ? and id = ?')
  const removeExpired = db.prepare<[number]>('delete from share_links where expires_at <= ?')

  return {
    insert: (link: ShareLink & { tokenHash: Uint8Array }): void => void insert.run({ ...link }),

    /** The link of a token, unless its time is over. */
    findByHash: (hash: Buffer, now: number): ShareLink | undefined => byHash.get(hash, now),

    /** Those of a run that still open it, newest first. */
    list: (runId: string, { page, perPage }: Page, now: number): PageOf<ShareLink> => ({
      items: list.all({ runId, now, limit: perPage, offset: (page - 1) * perPage }),
      totalItems: count.get({ runId, now }) ?? 0,
    }),

    count: (runId: string, now: number): number => count.get({ runId, now }) ?? 0,

    /** False when the run has no such link. */
    remove: (runId: string, id: string): boolean => remove.run(runId, id).changes === 1,

    removeExpired: (now: number): void => void removeExpired.run(now),
  }
}

const COLUMNS = `id, run_id as runId, created_by as createdBy, created_at as createdAt,
  expires_at as expiresAt`
