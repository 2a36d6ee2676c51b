import type { Db } from '../../shared/db/open.js'
import { createRuns } from '../../shared/db/runs.js'
import { createShareLinks, type ShareLink } from '../../shared/db/share-links.js'

/** Links of one run that work at the same time: enough for people, too few to fill a disk. */
export const MAX_SHARE_LINKS = 100

/** What the api changes in the tables of access: a part of ApiWrites. */
export function createAuthOperations(db: Db) {
  const runs = createRuns(db)
  const shareLinks = createShareLinks(db)

  return {
    /** Clears away those whose time is over, of all runs. */
    addShareLink(link: ShareLink & { tokenHash: Uint8Array }): 'added' | 'not_found' | 'too_many' {
      shareLinks.removeExpired(link.createdAt)
      if (!runs.find(link.runId)) return 'not_found'
      if (shareLinks.count(link.runId, link.createdAt) >= MAX_SHARE_LINKS) return 'too_many'
      shareLinks.insert(link)
      return 'added'
    },

    removeShareLink: ({ runId, id }: { runId: string; id: string }): boolean =>
      shareLinks.remove(runId, id),
  }
}
