/**
 * Who wants something done: whoever sends a request (sign-in fills this in later; until then everybody
 * is anonymous), or a pipeline, by one of its runs.
 */
export type Actor = { kind: 'anonymous' } | { kind: 'pipeline'; id: string }

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
  | 'gate.list'
  | 'gate.resolve'
  | 'server.read'
  /** Probes, assets, and webhooks, which are signed: not even sign-in will guard them. */
  | 'public'

/** What a route does it to: `key` is what the path says, an id or a name, not looked up yet. */
export type Resource = { kind: 'server' } | { kind: 'pipeline' | 'run' | 'gate'; key: string }

/** Decides before a handler runs. The answer does not tell whether the resource is there. */
export type Authorize = (actor: Actor, action: Action, resource: Resource) => boolean

/** No auth is configured: everything is open, as the start-up line and the docs say. */
export const allowEveryone: Authorize = () => true

/** Whether a gate's list of approvers lets somebody resolve it. Without sign-in nobody has a name. */
export function isApprover(actor: Actor, _approvers: readonly string[]): boolean {
  switch (actor.kind) {
    case 'anonymous':
      return true
    case 'pipeline':
      return false
  }
}

/** How the actor is written into a run's record; empty when nobody has signed in. */
export function nameOf(actor: Actor): string {
  switch (actor.kind) {
    case 'anonymous':
      return ''
    case 'pipeline':
      return 'triggerPipeline'
  }
}
