import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { integer } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { formatSpan } from '../format-time.js'
import { MAX_PER_PAGE } from '../list-pages.js'
import { createPaint, OUTPUT_FLAGS, terminalWidth, toneOf, type Paint } from '../output-flags.js'
import { runSchema } from '../remote-runs.js'
import { createTable, type Column } from '../table.js'
import { writeTo } from '../write-to.js'

const FLAGS = {
  limit: {
    kind: integer({ min: 1, max: MAX_PER_PAGE }),
    short: 'L',
    default: '50',
    doc: 'how many running and how many waiting runs are shown',
    group: 'List',
  },
  ...OUTPUT_FLAGS,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

const activeSchema = runSchema.extend({
  pipeline_name: z.string().default(''),
  priority: z.string().default('normal'),
  waiting: z.looseObject({ kind: z.string() }).optional(),
})
type ActiveRun = z.infer<typeof activeSchema>

const queueSchema = z.looseObject({
  running: z.array(activeSchema),
  queued: z.array(activeSchema),
  total_running: z.number(),
  total_queued: z.number(),
  total_suspended: z.number().default(0),
  deferred_webhooks: z.number().default(0),
  capacity: z.number(),
})
type Queue = z.infer<typeof queueSchema>

export const queueCommand: CommandSpec = {
  name: 'queue',
  summary: 'show what runs, what waits, and why',
  flags: FLAGS,
  examples: [
    'pocketci queue --server-url http://127.0.0.1:8080',
    "pocketci queue --json | jq -r '.queued[] | [.id, .waiting.kind] | @tsv'",
  ],
  async run({ context, given }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const queue = await during('show queue', () => get(connection, flags.limit))
    const text = flags.json
      ? `${JSON.stringify(queue, null, 2)}\n`
      : describe(context, createPaint(context, flags.color), queue)
    await writeTo(context.stdout, text)
    return 0
  },
}

async function get(connection: Connection, limit: number): Promise<Queue> {
  const response = await request(connection, `/api/queue?per_page=${limit}`)
  if (!response.ok) throw await refusal(connection, response)
  return await readJson(response, queueSchema)
}

function describe(context: CliContext, paint: Paint, queue: Queue): string {
  const { running, queued, total_running: inFlight } = queue
  const head = headOf(queue)
  const rows = [...running, ...queued]
  if (rows.length === 0) return head
  const columns = columnsOf(new Date().toISOString())
  const table = createTable({ columns, paint, width: terminalWidth(context) })
  const hidden = inFlight + queue.total_queued + queue.total_suspended - rows.length
  const rest = hidden > 0 ? `and ${hidden} more: --limit shows up to ${MAX_PER_PAGE} of each\n` : ''
  const hasGate = queued.some(({ waiting }) => waiting?.kind === 'gate')
  const hint = hasGate
    ? '\npocketci gate ls shows the gates, pocketci gate approve lets a run pass\n'
    : ''
  return `${head}\n${table(rows)}${rest}${hint}`
}

/** Runs at gates, or that wait for runs that they have triggered, are not in the queue. */
function headOf({ capacity, ...queue }: Queue): string {
  const { total_running: running, total_queued: queued, total_suspended: suspended } = queue
  const { deferred_webhooks: deferred } = queue
  const slots = capacity === 0 ? 'no executor is there' : `${running} of ${capacity} slots taken`
  const others = suspended === 0 ? '' : `, ${suspended} without a slot until others are done`
  const webhooks =
    deferred === 0 ? '' : `, ${deferred} webhooks are kept until there is room in the queue`
  return `${slots}, ${queued} queued${others}${webhooks}\n`
}

function columnsOf(now: string): Column<ActiveRun>[] {
  return [
    { title: 'ID', text: ({ id }) => id },
    { title: 'PIPELINE', text: (run) => run.pipeline_name || run.pipeline_id },
    { title: 'STATUS', text: ({ status }) => status, tone: ({ status }) => toneOf(status) },
    { title: 'PRIORITY', text: ({ priority }) => priority },
    // a run that waits again has begun; what counts is that it waits
    {
      title: 'FOR',
      text: ({ status, started_at: started, created_at: created }) =>
        formatSpan(status === 'queued' ? created : started, now),
    },
    { title: 'WHY', text: ({ waiting_reason: reason }) => reason ?? '' },
  ]
}
