import { createAuditLog, type NewAuditEntry } from '../../shared/db/audit-log.js'
import type { Db } from '../../shared/db/open.js'
import { createOauthGrants } from '../../shared/db/oauth-grants.js'
import { createRuns } from '../../shared/db/runs.js'
import { createShareLinks, type ShareLink } from '../../shared/db/share-links.js'
import { createTokens } from '../../shared/db/tokens.js'
import { createUsers, type Profile, type User } from '../../shared/db/users.js'

/** Links of one run that work at the same time: enough for people, too few to fill a disk. */
export const MAX_SHARE_LINKS = 100

/** What the api changes in the tables of access: a part of ApiWrites. */
export function createAuthOperations(db: Db) {
  const runs = createRuns(db)
  const shareLinks = createShareLinks(db)
  const users = createUsers(db)
  const tokens = createTokens(db)
  const grants = createOauthGrants(db)
  const auditLog = createAuditLog(db)

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

    /** Keeps what a provider says about somebody, and begins a session in place of a former one. */
    signIn({ profile, tokenHash, formerHash, expiresAt, now }: SignIn): User {
      const id = users.upsert(profile, now)
      if (formerHash) users.removeSession(formerHash)
      users.addSession({ tokenHash, user: id, expiresAt }, now, MAX_SESSIONS)
      const user = users.find(id)
      if (!user) throw new Error('a user is not there in the transaction that wrote it')
      return user
    },

    signOut: ({ tokenHash }: { tokenHash: Uint8Array }): void => users.removeSession(tokenHash),

    /** Adds an entry to the audit log; now and then what is too old goes. */
    audit({
      entry,
      retentionMs,
    }: {
      entry: NewAuditEntry & { rule: string }
      retentionMs: number
    }): void {
      const seq = auditLog.insert(entry)
      if (seq % PRUNE_EVERY !== 0) return
      auditLog.prune({ before: entry.at - retentionMs, keep: MAX_ENTRIES, limit: 2 * PRUNE_EVERY })
    },

    /** Ends all sessions of a user, and the tokens of the command lines and MCP clients that it has let in. */
    signOutEverywhere({ user }: { user: number }): void {
      users.removeSessions(user)
      tokens.removeLoginsOf(user)
      grants.removeOf(user)
    },
  }
}

/** Entries of the audit log: some hundreds of megabytes. */
const MAX_ENTRIES = 1_000_000
const PRUNE_EVERY = 100

/** Of one user: browsers that people still use. */
const MAX_SESSIONS = 50

interface SignIn {
  profile: Profile
  tokenHash: Uint8Array
  formerHash: Uint8Array | undefined
  expiresAt: number
  now: number
}
