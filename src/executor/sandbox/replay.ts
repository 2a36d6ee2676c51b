import { setImmediate as nextTurn } from 'node:timers/promises'
import type { IntentEntry } from '../../shared/db/journal.js'
import type { OutputStream } from '../../shared/contract/statuses.js'
import type { Asked } from './effect.js'
import type { SyncEnd, Timed } from './effects.js'
import type { Delivery } from './pipeline-vm.js'
import type { AskedFor, RecordedJournal } from './recorded-journal.js'

/** Deliveries in a row before other events of the thread get their turn: a stop among them. */
const BURST = 64

/** A recorded piece of output, as the guest was handed it: the chunks of a step behind one, up to another. */
export type RecordedOutput = (
  step: number,
  range: { after: number; upTo: number },
) => { stream: OutputStream; data: string }

/** Hands out what is on record and keeps account of what is not. */
export interface Replay {
  /** All deliveries were handed out. */
  readonly isOver: boolean
  hasIntents(): boolean
  takeIntent(asked: AskedFor): IntentEntry | undefined
  /** The guest has asked for an effect that is on record; its end may be too. */
  expect(asked: Asked): void
  /** The end of a synchronous effect: it was recorded together with it. */
  recall(intent: IntentEntry): SyncEnd
  /** The next delivery; undefined when that was all of them. */
  next(): Promise<Timed<Delivery> | undefined>
  /** The effects that were asked for and have no end on record, in order. */
  inDoubt(): Asked[]
}

export function createReplay(
  journal: RecordedJournal,
  readOutput: RecordedOutput | undefined,
): Replay {
  /** Asked for and without an end so far. */
  const open = new Map<number, Asked>()
  /** Synchronous effects whose result rows are still ahead. */
  const recalled = new Set<number>()
  let isOver = false
  let count = 0

  const toDelivery = (seq: number, asked: Asked): Timed<Delivery> => {
    const { request } = asked
    const { call } = request
    const entry = journal.read(seq)
    if (entry.kind === 'output') {
      if (request.step === undefined || !readOutput)
        throw journal.damaged(`row ${seq}: ${request.name} has no output`)
      const range = { after: asked.outputSeq, upTo: Number(entry.value) }
      asked.outputSeq = range.upTo
      return { type: 'output', call, ...readOutput(request.step, range), at: entry.at }
    }
    open.delete(entry.effect)
    request.onEnded?.()
    const value = parseValue(journal, seq, entry.value)
    if (entry.outcome === 'reject')
      return { type: 'reject', call, message: String(value), at: entry.at }
    request.onResolved?.(value, entry.effect)
    return { type: 'resolve', call, value, at: entry.at }
  }

  return {
    get isOver() {
      return isOver
    },

    hasIntents: () => journal.hasIntents(),
    takeIntent: (asked) => journal.takeIntent(asked),
    expect: (asked) => void open.set(asked.effect, asked),

    recall({ seq, effect }) {
      const entry = journal.read(seq + 1)
      if (entry.kind !== 'result' || entry.effect !== effect)
        throw journal.damaged(`row ${seq + 1}: it is not the result of row ${seq}`)
      recalled.add(effect)
      return { outcome: entry.outcome, value: parseValue(journal, entry.seq, entry.value) }
    },

    async next() {
      for (;;) {
        if (++count % BURST === 0) await nextTurn()
        const row = journal.takeDelivery()
        if (!row) {
          isOver = true
          return undefined
        }
        if (recalled.delete(row.effect)) continue
        const asked = open.get(row.effect)
        if (!asked) throw journal.damaged(`row ${row.seq}: effect ${row.effect} is not under way`)
        return toDelivery(row.seq, asked)
      }
    },

    inDoubt: () => [...open.values()].sort((a, b) => a.effect - b.effect),
  }
}

function parseValue(journal: RecordedJournal, seq: number, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw journal.damaged(`row ${seq}: its value is not JSON`)
  }
}
