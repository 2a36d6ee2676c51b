import type { FlagTable, ValuesOf } from '../config/flag.js'
import { integer } from '../config/kinds.js'
import { during } from './client.js'
import type { CliContext } from './command-spec.js'
import type { Connection } from './connection.js'
import { listPages, MAX_PER_PAGE, type PageOptions } from './list-pages.js'
import { createPaint, OUTPUT_FLAGS, terminalWidth } from './output-flags.js'
import { createTable, type Column } from './table.js'
import { writeTo } from './write-to.js'

const group = 'List'

/** `limit` is how many a list shows unless told otherwise. */
export function listFlags<const Limit extends string>(limit: Limit) {
  return {
    limit: {
      kind: integer({ min: 0, max: 1_000_000_000 }),
      short: 'L',
      default: limit,
      doc: 'how many are shown, newest first; 0 is all',
      group,
    },
    page: {
      kind: integer({ min: 1, max: 1_000_000_000 }),
      doc: 'show this page of the list alone, from 1; --limit does not count then',
      group,
    },
    'per-page': {
      kind: integer({ min: 1, max: MAX_PER_PAGE }),
      default: '20',
      doc: 'how many a page has',
      group,
    },
    ...OUTPUT_FLAGS,
  } as const satisfies FlagTable
}
type ListFlags = ValuesOf<ReturnType<typeof listFlags>>

/** Small enough to be sent at once when each brings its source. */
const BATCH = 50

export interface Listing<T> extends Omit<PageOptions<T>, 'page' | 'perPage' | 'signal'> {
  context: CliContext
  connection: Connection
  flags: ListFlags
  /** What is done, for errors. */
  purpose: string
  columns: readonly Column<T>[]
  /** Looks up what the columns want to know of some rows. */
  prepare?(rows: readonly T[]): Promise<void>
}

/** Prints a list as a table or as JSON while it comes, however long it is. Answers the exit code. */
export async function showList<T>(listing: Listing<T>): Promise<number> {
  const { context, connection, flags, purpose, prepare } = listing
  const { page, limit } = flags
  const isOnePage = page !== undefined
  const perPage = isOnePage ? flags['per-page'] : limit === 0 ? BATCH : Math.min(limit, BATCH)
  const print = flags.json ? jsonPrinter<T>() : tablePrinter(listing)
  let left = isOnePage || limit === 0 ? Infinity : limit

  await during(purpose, async () => {
    for await (const found of listPages(connection, { ...listing, page, perPage })) {
      const rows = found.slice(0, left)
      left -= rows.length
      if (!flags.json) await prepare?.(rows)
      await writeTo(context.stdout, print.add(rows))
      if (left <= 0) break
    }
  })
  await writeTo(context.stdout, print.end())
  return 0
}

/** Both answer the text that is to be written now. */
interface Printer<T> {
  add(rows: readonly T[]): string
  end(): string
}

/** Rows that share their columns' widths; those behind them are laid out a batch at a time. */
const ALIGNED_ROWS = 1_000

function tablePrinter<T>({ context, flags, columns }: Listing<T>): Printer<T> {
  const paint = createPaint(context, flags.color)
  const format = createTable({ columns, paint, width: terminalWidth(context) })
  let waiting: T[] | undefined = []
  const flush = (): string => {
    const rows = waiting ?? []
    waiting = undefined
    return format(rows)
  }
  return {
    add(rows) {
      if (!waiting) return format(rows)
      waiting.push(...rows)
      return waiting.length < ALIGNED_ROWS ? '' : flush()
    },
    end: () => (waiting ? flush() : ''),
  }
}

/** One array, an item a line. */
function jsonPrinter<T>(): Printer<T> {
  let isEmpty = true
  const format = (row: T): string => {
    const text = `${isEmpty ? '[' : ','}\n  ${JSON.stringify(row)}`
    isEmpty = false
    return text
  }
  return {
    add: (rows) => rows.map((row) => format(row)).join(''),
    end: () => (isEmpty ? '[]\n' : '\n]\n'),
  }
}
