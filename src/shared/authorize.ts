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
  /** Probes, assets and share links: not even sign-in guards them. */
  | 'public'

/** What a route does it to: `key` is what the path says, an id or a name, not looked up yet. */
export type Resource =
  { kind: 'server' } | { kind: 'pipeline' | 'run' | 'gate' | 'schedule'; key: string }

/** Decides before a handler runs; answers why not. That does not tell whether the resource is there. */
export type Authorize = (actor: Actor, action: Action, resource: Resource) => string | undefined

/** What a token needs for each action; `null`: nothing. */
export const SCOPE_OF: Readonly<Record<Action, Scope | null>> = {
  'pipeline.list': 'ci:read',
  'pipeline.read': 'ci:read',
  'pipeline.set': 'ci:write',
  'pipeline.pause': 'ci:write',
  'pipeline.delete': 'ci:write',
  'pipeline.run': 'ci:run',
  'run.list': 'ci:read',
  'run.read': 'ci:read',
  'run.stop': 'ci:run',
  'run.resume': 'ci:run',
  'run.retrigger': 'ci:run',
  'run.share': 'ci:run',
  'gate.list': 'ci:read',
  'gate.resolve': 'ci:approve',
  'server.read': 'ci:read',
  'token.manage': 'ci:admin',
  public: null,
}

/** Whoever has got past sign-in may do everything, and a token what it is good for. */
export const allowByScope: Authorize = (actor, action) => {
  const needed = SCOPE_OF[action]
  const scopes = 'scopes' in actor ? actor.scopes : undefined
  if (needed === null || !scopes || scopes.includes(needed)) return undefined
  return `access denied: the token is not good for ${needed}`
}

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
