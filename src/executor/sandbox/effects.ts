import { createHash } from 'node:crypto'
import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import type { IntentEntry, JournalEntry, ResultEntry } from '../../shared/db/journal.js'
import type { ChangeSignal } from '../../shared/db/change-signal.js'
import type { Claim } from '../../shared/db/runs.js'
import type { Wait } from '../../shared/db/suspensions.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { ExecutorWrites, TaskChange } from '../writes.js'
import { EffectFailure, type Asked, type Effect, type EffectRequest } from './effect.js'
import { createParking, LEFT } from './parking.js'
import type { Delivery } from './pipeline-vm.js'
import type { RecordedJournal } from './recorded-journal.js'
import { createReplay, type RecordedOutput } from './replay.js'

/**
 * The journal of one run and the order in which the host's answers enter its sandbox.
 *
 * replaying → live: what earlier attempts have recorded is delivered first, in its order, and no
 * action runs meanwhile. Then the effects whose results are not on record are done: those in doubt
 * and those that are asked for from then on.
 */
export interface Effects {
  /** Journals the intent, does the thing, journals the result, then delivers it. Never throws. */
  perform<Value>(request: EffectRequest<Value>): void
  /** How a synchronous effect ended in an earlier attempt; undefined: it has to be done. */
  recall(name: string, args: readonly unknown[]): SyncEnd | undefined
  /**
   * The journal rows of a synchronous effect that was not recalled, to be committed together with
   * it by the caller. They take their place in the order at once.
   */
  entriesOf(name: string, args: readonly unknown[], end: SyncEnd): JournalEntry[]
  /** Commits rows of `entriesOf`, or changes of the task tree alone, in order with the rest. */
  commit(entries: JournalEntry[], changes: TaskChange[]): void
  /** Commits changes of the task tree and waits for it. Throws `lease_lost`. */
  record(changes: TaskChange[]): Promise<void>
  /**
   * The next delivery in journal order; undefined when nothing is under way any more, or all that
   * is waits for other processes.
   */
  next(): Promise<Timed<Delivery> | undefined>
  /** Ends what waits for other processes, without results; answers what that was. */
  leave(): Wait[]
  /** Resolves when no action is under way, whatever they ended with. */
  idle(): Promise<void>
  /** Ends all of it. */
  fail(error: unknown): void
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
  /** What earlier attempts have written; none for a run that begins. */
  recorded?: RecordedJournal | undefined
  /** Reads what the guest was handed of a step's output. */
  readOutput?: RecordedOutput | undefined
  /** Called when all that is on record was delivered. */
  onReplayed?: () => void
  /** Of the main database. */
  changes: () => ChangeSignal
  /** Aborts when the run has to end. */
  signal: AbortSignal
  /** Called once, when `failure` is set: whatever is under way has to end. */
  onFailure(error: unknown): void
}

/** A delivery that is on record and what to do when it goes out. */
interface Ready {
  delivery: Timed<Delivery>
  onDelivered(): void
}

/**
 * Every effect of a pipeline goes through here. The journal's sequence is the order in which the
 * writes are asked for; one writer performs them in that order; deliveries leave in that order.
 */
export function createEffects(options: EffectsOptions): Effects {
  const { claim, writer, now, recorded, readOutput, onFailure } = options
  const occurrences = new Map<string, number>()
  const ready: Ready[] = []
  const active = new Set<Promise<void>>()
  const replay = recorded && createReplay(recorded, readOutput)
  const live = Promise.withResolvers<void>()
  if (!replay) live.resolve()
  let effectCount = 0
  let seq = recorded?.lastSeq ?? 0
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
    live.resolve()
    notify()
  }

  const parking = createParking({
    ...{ changes: options.changes, signal: options.signal, now },
    onWait: notify,
  })

  const record = async (entries: JournalEntry[], changes: TaskChange[]): Promise<void> => {
    if (failure !== undefined) throw failure
    const isOurs = await writer.write('record', { claim, entries, changes, now: now() })
    if (!isOurs) throw leaseLost(claim)
  }

  /** The next intent of the guest: a recorded one, or a new one with the next place in the journal. */
  const intentOf = (name: string, args: readonly unknown[], parent: number) => {
    const occurrence = occurrences.get(name) ?? 0
    occurrences.set(name, occurrence + 1)
    const asked = { effect: ++effectCount, name, occurrence, parent, argsHash: hashArgs(args) }
    const known = replay?.takeIntent(asked)
    if (known) return { intent: known, isRecorded: true }
    const intent: IntentEntry = { kind: 'intent', seq: ++seq, ...asked, at: now() }
    return { intent, isRecorded: false }
  }

  const deliver = async (
    entry: JournalEntry,
    { delivery, onDelivered }: { delivery: Delivery; onDelivered(): void },
    changes: TaskChange[],
  ): Promise<void> => {
    await record([entry], changes)
    ready.push({ delivery: { ...delivery, at: entry.at }, onDelivered })
    notify()
  }

  const run = async (asked: Asked, isInDoubt: boolean): Promise<void> => {
    const { request, effect: number, askedAt, outputSeq } = asked
    const { call, action } = request
    await live.promise
    if (failure !== undefined) return
    const effect: Effect = {
      number,
      askedAt,
      isInDoubt,
      outputSeq,
      async output(stream, data, chunkSeq) {
        await deliver(
          { kind: 'output', seq: ++seq, effect: number, value: String(chunkSeq), at: now() },
          { delivery: { type: 'output', call, stream, data }, onDelivered: nothing },
          [],
        )
        faultPoint('effect.output.committed')
      },
      wait: (wait, look) => parking.wait(wait, look),
    }
    const ended = await action(effect).then(
      ({ value, changes = [] }) => ({
        outcome: 'resolve' as const,
        value: value ?? null,
        changes,
      }),
      (error: unknown) => {
        if (error === LEFT || hasCode(error, 'lease_lost')) throw error
        const changes = error instanceof EffectFailure ? error.changes : []
        return { outcome: 'reject' as const, value: errorMessage(error), changes }
      },
    )
    faultPoint('effect.action.done')
    const { outcome, value, changes } = ended
    const text = JSON.stringify(value)
    const entry: ResultEntry = {
      kind: 'result',
      seq: ++seq,
      effect: number,
      outcome,
      value: text,
      at: now(),
    }
    const delivery: Delivery =
      outcome === 'resolve'
        ? { type: 'resolve', call, value }
        : { type: 'reject', call, message: value }
    const onDelivered = (): void => {
      request.onEnded?.()
      if (outcome === 'resolve') request.onResolved?.(value, number)
    }
    await deliver(entry, { delivery, onDelivered }, changes)
    faultPoint('effect.result.committed')
  }

  /** An action counts as under way until its result is on record. */
  const start = (work: Promise<void>): void => {
    const task = work
      .catch((error: unknown) => {
        if (error !== LEFT) fail(error)
      })
      .finally(() => {
        active.delete(task)
        notify()
      })
    active.add(task)
  }

  /** The intent is on its way to the journal at once, in the order of the guest's calls. */
  const runNew = async (asked: Asked, intent: IntentEntry): Promise<void> => {
    await record([intent], asked.request.begin ?? [])
    faultPoint('effect.intent.committed')
    await run(asked, false)
  }

  const endReplay = (inDoubt: readonly Asked[]): void => {
    options.onReplayed?.()
    for (const asked of inDoubt) start(run(asked, true))
    live.resolve()
  }

  const nextRecorded = async (): Promise<Timed<Delivery> | undefined> => {
    if (!replay || replay.isOver) return undefined
    const delivery = await replay.next()
    if (!delivery) endReplay(replay.inDoubt())
    return delivery
  }

  return {
    perform(request) {
      if (failure !== undefined) return
      try {
        const { name, args, parent = 0 } = request
        const { intent, isRecorded } = intentOf(name, args, parent)
        const asked = { request, effect: intent.effect, askedAt: intent.at, outputSeq: 0 }
        if (isRecorded) replay?.expect(asked)
        else start(runNew(asked, intent))
      } catch (error) {
        fail(error)
      }
    },

    recall(name, args) {
      if (failure !== undefined) throw failure
      if (!replay?.hasIntents()) return undefined
      try {
        return replay.recall(intentOf(name, args, 0).intent)
      } catch (error) {
        fail(error)
        throw error
      }
    },

    entriesOf(name, args, { outcome, value }) {
      const { intent } = intentOf(name, args, 0)
      const { effect, at } = intent
      const text = JSON.stringify(value) ?? 'null'
      return [intent, { kind: 'result', seq: ++seq, effect, outcome, value: text, at }]
    },

    commit: (entries, changes) => void record(entries, changes).catch(fail),
    record: (changes) => record([], changes),

    async next() {
      for (;;) {
        if (failure !== undefined) throw failure
        const recordedDelivery = await nextRecorded()
        if (recordedDelivery) return recordedDelivery
        const waiting = ready.shift()
        if (waiting) {
          waiting.onDelivered()
          return waiting.delivery
        }
        if (active.size === parking.count) return undefined
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },

    leave: () => parking.leave(),

    async idle() {
      while (active.size > 0) await Promise.allSettled(active)
    },

    fail,

    get failure() {
      return failure
    },
  }
}

function nothing(): void {}

/** What stands for the arguments of a call in the journal. */
export function hashArgs(args: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(args)).digest().subarray(0, 16)
}

export function leaseLost({ runId, attempt }: Claim): AppError {
  return new AppError('lease_lost', `attempt ${attempt} of run ${runId} no longer owns it`)
}
