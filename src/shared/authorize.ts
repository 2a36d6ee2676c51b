/** Who wants something done: whoever sends a request, or a pipeline, by one of its runs. */
export type Actor =
  /** Nobody has said who it is. */
  | { kind: 'anonymous' }
  /** Knows the password of --basic-auth. */
  | { kind: 'basic'; user: string }
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
  /** Probes, assets, share links, and webhooks, which are signed: not even sign-in guards them. */
  | 'public'

/** What a route does it to: `key` is what the path says, an id or a name, not looked up yet. */
export type Resource = { kind: 'server' } | { kind: 'pipeline' | 'run' | 'gate'; key: string }

/** Decides before a handler runs. The answer does not tell whether the resource is there. */
export type Authorize = (actor: Actor, action: Action, resource: Resource) => boolean

/** Whoever has got past sign-in may do everything. */
export const allowEveryone: Authorize = () => true

/**
 * Whether a gate's list of approvers lets somebody resolve it: they are named as records name them, or
 * without what signed them in. An empty list lets everybody. Without sign-in nobody has a name.
 */
export function isApprover(actor: Actor, approvers: readonly string[]): boolean {
  switch (actor.kind) {
    case 'anonymous':
      return true
    case 'basic':
      return (
        approvers.length === 0 ||
        [nameOf(actor), actor.user].some((name) => approvers.includes(name))
      )
    case 'pipeline':
      return false
  }
}

/** Who acts where nobody signs in, in records that have to name somebody. */
export const UNKNOWN = 'unknown'

/** How the actor is written into a run's record; empty when nobody has signed in. */
export function nameOf(actor: Actor): string {
  switch (actor.kind) {
    case 'anonymous':
      return ''
    case 'basic':
      return `basic:${actor.user}`
    case 'pipeline':
      return 'triggerPipeline'
  }
}
