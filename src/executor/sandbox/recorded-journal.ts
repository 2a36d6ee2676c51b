import { AppError } from '../../shared/errors.js'
import {
  damaged,
  type IntentEntry,
  type Journal,
  type OutputEntry,
  type RecordedDelivery,
  type ResultEntry,
} from '../../shared/db/journal.js'

/** Rows that are read at once; values are read one at a time, for a result may be large. */
const PAGE = 256

/** What a guest asks for, as far as it is compared with the journal. */
export type AskedFor = Pick<IntentEntry, 'effect' | 'name' | 'occurrence' | 'parent' | 'argsHash'>

/**
 * What earlier attempts of a run have written, handed out in their order. Every intent was a reply
 * to a delivery that was on record before it, so a guest that is given the same deliveries has to
 * ask for the same effects in between. Whatever differs throws `journal_mismatch`.
 */
export interface RecordedJournal {
  readonly lastSeq: number
  /** True while there is an intent that the guest has not come to. */
  hasIntents(): boolean
  /** The intent of the guest's next effect; undefined when it was never recorded. */
  takeIntent(asked: AskedFor): IntentEntry | undefined
  /** The next delivery; undefined when that was all of them. */
  takeDelivery(): RecordedDelivery | undefined
  /** A delivery with its value. */
  read(seq: number): ResultEntry | OutputEntry
  damaged(reason: string): AppError
}

export function openRecordedJournal(journal: Journal, runId: string): RecordedJournal {
  const lastSeq = journal.getLastSeq(runId)
  const intents = createCursor(lastSeq, (after) => journal.listIntents(runId, after, PAGE))
  const deliveries = createCursor(lastSeq, (after) => journal.listDeliveries(runId, after, PAGE))

  return {
    lastSeq,
    hasIntents: () => intents.peek() !== undefined,

    takeIntent(asked) {
      const intent = intents.take()
      if (!intent) return undefined
      const difference = findDifference(intent, asked)
      if (difference !== undefined) throw mismatch(describe(asked), difference, intent)
      return intent
    },

    takeDelivery() {
      const delivery = deliveries.take()
      const missing = intents.peek()
      if (missing && missing.seq < (delivery?.seq ?? Infinity))
        throw mismatch(describe(missing), 'the pipeline did not ask for it again', missing)
      return delivery
    },

    read: (seq) => journal.getEntry(runId, seq),
    damaged: (reason) => damaged(runId, reason),
  }
}

interface Cursor<Row> {
  peek(): Row | undefined
  take(): Row | undefined
}

/** Walks rows up to `lastSeq`: behind it are those that this attempt writes meanwhile. */
function createCursor<Row extends { seq: number }>(
  lastSeq: number,
  list: (after: number) => Row[],
): Cursor<Row> {
  let page: Row[] = []
  let at = 0
  let after = 0
  let isOver = false
  const peek = (): Row | undefined => {
    if (at === page.length && !isOver) {
      const rows = list(after)
      page = rows.filter(({ seq }) => seq <= lastSeq)
      at = 0
      after = page.at(-1)?.seq ?? after
      isOver = page.length < PAGE
    }
    return page[at]
  }
  return {
    peek,
    take() {
      const row = peek()
      if (row) at++
      return row
    },
  }
}

function findDifference(intent: IntentEntry, asked: AskedFor): string | undefined {
  if (intent.name !== asked.name || intent.effect !== asked.effect)
    return `the journal has ${describe(intent)} in its place`
  if (intent.occurrence !== asked.occurrence) return 'its place among those of its name differs'
  if (intent.parent !== asked.parent) return 'it belongs to another sandbox'
  if (!intent.argsHash.equals(asked.argsHash)) return 'its arguments differ'
  return undefined
}

function describe({ name, occurrence, effect }: Omit<AskedFor, 'argsHash' | 'parent'>): string {
  return `effect ${effect} (${name}, number ${occurrence + 1} of that name)`
}

function mismatch(effect: string, reason: string, { seq }: IntentEntry): AppError {
  return new AppError(
    'journal_mismatch',
    `cannot continue after the death of an executor: ${effect}: ${reason} (row ${seq} of the journal)`,
  )
}
