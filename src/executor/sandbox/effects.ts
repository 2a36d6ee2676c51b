import { createHash } from 'node:crypto'
import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import type { JournalEntry } from '../../shared/db/journal.js'
import type { Claim } from '../../shared/db/runs.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { ExecutorWrites, TaskChange } from '../writes.js'
import type { Delivery } from './pipeline-vm.js'

/** One thing that a pipeline asked of its host. */
export interface EffectRequest<Value> {
  /** The guest's call that its end is delivered to. */
  call: number
  /** The host function, for example `runtime.run`. */
  name: string
  args: readonly unknown[]
  /** The effect that it belongs to: a sandbox, for its execs. 0: the run. */
  parent?: number
  /** Does the thing. What it throws rejects the guest's promise. */
  action(effect: Effect): Promise<Done<Value>>
  /** Changes of the task tree that are committed with the intent. */
  begin?: TaskChange[]
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
  /** Hands a chunk to the guest's `onOutput`, in order with all other deliveries. */
  output(stream: 'stdout' | 'stderr', data: string, chunkSeq: number): Promise<void>
}

/** An action that failed and has something to say in the task tree. */
export class EffectFailure extends Error {
  readonly changes: TaskChange[]
  constructor(cause: unknown, changes: TaskChange[]) {
    super(errorMessage(cause), { cause })
    this.changes = changes
  }
}

/** The journal of one run and the order in which the host's answers enter its sandbox. */
export interface Effects {
  /** Journals the intent, does the thing, journals the result, then delivers it. Never rejects. */
  perform<Value>(request: EffectRequest<Value>): void
  /**
   * The journal rows of a synchronous effect, to be committed together with it by the caller.
   * They take their place in the order at once.
   */
  entriesOf(name: string, args: readonly unknown[], end: SyncEnd): JournalEntry[]
  /** Commits rows of `entriesOf`, or changes of the task tree alone, in order with the rest. */
  commit(entries: JournalEntry[], changes: TaskChange[]): void
  /** The next delivery in journal order; undefined when nothing is under way and nothing waits. */
  next(): Promise<Timed<Delivery> | undefined>
  /** Resolves when no action is under way, whatever they ended with. */
  idle(): Promise<void>
  /** Set when a write was refused because another executor owns the run, or failed for good. */
  readonly failure: unknown
}

/** How a synchronous effect ended. */
export interface SyncEnd {
  outcome: 'resolve' | 'reject'
  value: unknown
}

/** A delivery with its place in time: what the guest's clock shows from then on. */
export type Timed<Value> = Value & { at: number }

export interface EffectsOptions {
  claim: Claim
  writer: WriterClient<ExecutorWrites>
  now: () => number
  /** Called once, when `failure` is set: whatever is under way has to end. */
  onFailure(error: unknown): void
}

/**
 * Every effect of a pipeline goes through here. The journal's sequence is the order in which the
 * writes are asked for; one writer performs them in that order; deliveries leave in that order.
 */
export function createEffects({ claim, writer, now, onFailure }: EffectsOptions): Effects {
  const occurrences = new Map<string, number>()
  const ready: Timed<Delivery>[] = []
  const active = new Set<Promise<void>>()
  let effectCount = 0
  let seq = 0
  let failure: unknown
  let wake: (() => void) | undefined

  const notify = (): void => {
    wake?.()
    wake = undefined
  }
  const fail = (error: unknown): void => {
    if (failure !== undefined) return
    failure = error
    onFailure(error)
    notify()
  }

  const record = async (entries: JournalEntry[], changes: TaskChange[]): Promise<void> => {
    if (failure !== undefined) throw failure
    const isOurs = await writer.write('record', { claim, entries, changes, now: now() })
    if (!isOurs) throw leaseLost(claim)
  }

  const intentOf = (name: string, args: readonly unknown[], parent: number): JournalEntry => {
    const occurrence = occurrences.get(name) ?? 0
    occurrences.set(name, occurrence + 1)
    const effect = ++effectCount
    return {
      kind: 'intent',
      seq: ++seq,
      effect,
      name,
      occurrence,
      parent,
      argsHash: hash(args),
      at: now(),
    }
  }

  const deliver = async (
    entry: JournalEntry,
    delivery: Delivery,
    changes: TaskChange[],
  ): Promise<void> => {
    await record([entry], changes)
    ready.push({ ...delivery, at: entry.at })
    notify()
  }

  const run = async <Value>(request: EffectRequest<Value>, intent: JournalEntry): Promise<void> => {
    const { call, action } = request
    const { effect: number } = intent
    const effect: Effect = {
      number,
      output: (stream, data, chunkSeq) =>
        deliver(
          { kind: 'output', seq: ++seq, effect: number, value: String(chunkSeq), at: now() },
          { type: 'output', call, stream, data },
          [],
        ),
    }
    await record([intent], request.begin ?? [])
    const ended = await action(effect).then(
      ({ value, changes = [] }) => ({ outcome: 'resolve' as const, value, changes }),
      (error: unknown) => {
        if (hasCode(error, 'lease_lost')) throw error
        const changes = error instanceof EffectFailure ? error.changes : []
        return { outcome: 'reject' as const, value: errorMessage(error), changes }
      },
    )
    const { outcome, value, changes } = ended
    const entry: JournalEntry = {
      kind: 'result',
      seq: ++seq,
      effect: number,
      outcome,
      value: JSON.stringify(value) ?? 'null',
      at: now(),
    }
    const delivery: Delivery =
      outcome === 'resolve'
        ? { type: 'resolve', call, value }
        : { type: 'reject', call, message: value }
    await deliver(entry, delivery, changes)
  }

  return {
    perform(request) {
      // the intent takes its number now, in the order of the guest's calls
      const intent = intentOf(request.name, request.args, request.parent ?? 0)
      const task = run(request, intent)
        .catch(fail)
        .finally(() => {
          active.delete(task)
          notify()
        })
      active.add(task)
    },

    entriesOf(name, args, { outcome, value }) {
      const intent = intentOf(name, args, 0)
      const { effect, at } = intent
      const text = JSON.stringify(value) ?? 'null'
      return [intent, { kind: 'result', seq: ++seq, effect, outcome, value: text, at }]
    },

    commit: (entries, changes) => void record(entries, changes).catch(fail),

    async next() {
      for (;;) {
        if (failure !== undefined) throw failure
        const delivery = ready.shift()
        if (delivery) return delivery
        if (active.size === 0) return undefined
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },

    async idle() {
      while (active.size > 0) await Promise.allSettled(active)
    },

    get failure() {
      return failure
    },
  }
}

function hash(args: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(args)).digest().subarray(0, 16)
}

function leaseLost({ runId, attempt }: Claim): AppError {
  return new AppError('lease_lost', `attempt ${attempt} of run ${runId} no longer owns it`)
}
