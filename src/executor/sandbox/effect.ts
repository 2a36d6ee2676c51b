import type { Wait } from '../../shared/db/suspensions.js'
import { errorMessage } from '../../shared/errors.js'
import type { TaskChange } from '../writes.js'

/** One thing that a pipeline asked of its host. */
export interface EffectRequest<Value> {
  /** The guest's call that its end is delivered to. */
  call: number
  /** The host function, for example `runtime.run`. */
  name: string
  args: readonly unknown[]
  /** The effect that it belongs to: a sandbox, for its execs. 0: the run. */
  parent?: number
  /** The task whose output it hands to the guest. */
  step?: number
  /** Does the thing. What it throws rejects the guest's promise. */
  action(effect: Effect): Promise<Done<Value>>
  /** Changes of the task tree that are committed with the intent. */
  begin?: TaskChange[]
  /** Called when the guest learns of its value, also when that was recorded by an earlier attempt. */
  onResolved?(value: Value, effect: number): void
  /** The same, whichever way it ended; before `onResolved`. */
  onEnded?(): void
}

/** How an action ended: the guest's value and the changes of the task tree that go with it. */
export interface Done<Value> {
  value: Value
  changes?: TaskChange[]
}

/** What an action gets. */
export interface Effect {
  /** Numbers the effects of a run from 1. */
  number: number
  /** When the guest asked for it, unix milliseconds. */
  askedAt: number
  /** An earlier attempt had begun it and nobody knows how far it came: find out before it is done. */
  isInDoubt: boolean
  /** Of `output`: the last chunk that the guest was handed; 0 when none was. */
  outputSeq: number
  /** Hands a chunk to the guest's `onOutput`, in order with all other deliveries. */
  output(stream: 'stdout' | 'stderr', data: string, chunkSeq: number): Promise<void>
  /** Waits for what another process does; see parking.ts. What it rejects with is to be thrown on. */
  wait<Value>(
    wait: Wait,
    look: () => Value | undefined | Promise<Value | undefined>,
  ): Promise<Value>
}

/** An action that failed and has something to say in the task tree. */
export class EffectFailure extends Error {
  readonly changes: TaskChange[]
  constructor(cause: unknown, changes: TaskChange[]) {
    super(errorMessage(cause), { cause })
    this.changes = changes
  }
}

/** An effect as the guest has asked for it, with its place in the journal. */
export interface Asked {
  request: EffectRequest<unknown>
  effect: number
  askedAt: number
  outputSeq: number
}
