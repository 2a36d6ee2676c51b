import type { Scope } from './contract/scopes.js'
import type { User } from './db/users.js'

/** Who wants something done: whoever sends a request, or a pipeline, by one of its runs. */
export type Actor =
  /** Nobody has said who it is. */
  | { kind: 'anonymous' }
  /** Knows the password of --basic-auth. With `scopes` it is a token of theirs, good for these alone. */
  | { kind: 'basic'; user: string; scopes?: readonly Scope[] }
  /** Has signed in through a provider; the same for `scopes`. */
  | { kind: 'user'; user: User; scopes?: readonly Scope[] }
  | { kind: 'pipeline'; id: string }

/** What a route does; every route names one. */
export type Action =
  | 'pipeline.list'
  | 'pipeline.read'
  | 'pipeline.set'
  | 'pipeline.pause'
  | 'pipeline.delete'
  | 'pipeline.run'
  | 'run.list'
  | 'run.read'
  | 'run.stop'
  | 'run.resume'
  | 'run.retrigger'
  | 'run.share'
  | 'gate.list'
  | 'gate.resolve'
  | 'server.read'
  | 'token.manage'
  | 'audit.read'
  /** Probes, assets, share links, and webhooks, which are signed: not even sign-in guards them. */
  | 'public'

/** What a route does it to: `key` is what the path says, an id or a name, not looked up yet. */
export type Resource =
  { kind: 'server' } | { kind: 'pipeline' | 'run' | 'gate' | 'schedule'; key: string }

/** Decides before a handler runs; answers why not. That does not tell whether the resource is there. */
export type Authorize = (actor: Actor, action: Action, resource: Resource) => string | undefined

/**
 * Whether a gate's list of approvers lets somebody resolve it: they are named as records name them, or
 * without what signed them in. An empty list lets everybody. Without sign-in nobody has a name.
 */
export function isApprover(actor: Actor, approvers: readonly string[]): boolean {
  switch (actor.kind) {
    case 'anonymous':
      return true
    case 'basic':
      return isNamed(approvers, [nameOf(actor), actor.user])
    case 'user': {
      const { provider, email, userId, nickName } = actor.user
      // a nick name may look like somebody else's id, and like an address nowhere
      const names = [email, userId, nickName && `@${nickName}`].filter(Boolean)
      return isNamed(approvers, [
        ...(email ? [email] : []),
        ...names.map((name) => `${provider}:${name}`),
      ])
    }
    case 'pipeline':
      return false
  }
}

/** Who acts where nobody signs in, in records that have to name somebody. */
export const UNKNOWN = 'unknown'

function isNamed(approvers: readonly string[], names: readonly string[]): boolean {
  return approvers.length === 0 || names.some((name) => approvers.includes(name))
}

/** How the actor is written into a run's record; empty when nobody has signed in. */
export function nameOf(actor: Actor): string {
  switch (actor.kind) {
    case 'anonymous':
      return ''
    case 'basic':
      return `basic:${actor.user}`
    case 'user': {
      const { provider, email, userId, name } = actor.user
      return `${provider}:${email || userId || name}`
    }
    case 'pipeline':
      return 'triggerPipeline'
  }
}
