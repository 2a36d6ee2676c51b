import type { ShareLink } from '../../shared/db/share-links.js'
import { formatTime } from './time.js'

/** A share link as clients see it: the token is told once, by the answer that made it. */
export function toWireShareLink({ id, runId, createdBy, createdAt, expiresAt }: ShareLink) {
  return {
    id,
    run_id: runId,
    ...(createdBy && { created_by: createdBy }),
    created_at: formatTime(createdAt),
    expires_at: formatTime(expiresAt),
  }
}
