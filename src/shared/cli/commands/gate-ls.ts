import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { boolean } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { formatTime } from '../format-time.js'
import { createPaint, terminalWidth, toneOf } from '../output-flags.js'
import { gateSchema, type RemoteGate } from '../remote-gates.js'
import { runPath, runTexts } from '../remote-runs.js'
import { listFlags, showList } from '../show-list.js'
import { createTable, type Column } from '../table.js'
import { writeTo } from '../write-to.js'

const FLAGS = {
  all: {
    kind: boolean,
    short: 'a',
    default: 'false',
    doc: 'show resolved gates too',
    group: 'List',
  },
  ...listFlags('20'),
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

export const gateLsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list the gates that wait for approval, or all of one run',
  operands: '[run]',
  completes: 'run',
  flags: FLAGS,
  examples: [
    'pocketci gate ls --server-url http://127.0.0.1:8080',
    "pocketci gate ls V1StGXR8_Z5jdHi6B-myT --json | jq -r '.[0].id'",
  ],
  async run({ context, given, operands: [run] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const purpose = 'list gates'
    if (run === undefined) {
      const path = `/api/gates${flags.all ? '' : '?status=pending'}`
      const columns = COLUMNS
      return await showList({
        ...{ context, flags, connection, purpose, path, columns },
        item: gateSchema,
      })
    }
    const gates = await during(purpose, async () => {
      const response = await request(connection, `${runPath(run)}/gates`)
      if (!response.ok) throw await refusal(connection, response, { 404: runTexts(run)[404] ?? '' })
      return await readJson(response, z.array(gateSchema))
    })
    const paint = createPaint(context, flags.color)
    const table = createTable({ columns: COLUMNS, paint, width: terminalWidth(context) })
    await writeTo(context.stdout, flags.json ? `${JSON.stringify(gates, null, 2)}\n` : table(gates))
    return 0
  },
}

const COLUMNS: readonly Column<RemoteGate>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'RUN', text: ({ run_id: run }) => run },
  { title: 'NAME', text: ({ name }) => name },
  { title: 'STATUS', text: ({ status }) => status, tone: ({ status }) => toneOf(status) },
  { title: 'BY', text: ({ approved_by: by }) => by },
  { title: 'CREATED', text: ({ created_at: at }) => formatTime(at) },
  { title: 'UNTIL', text: ({ deadline_at: at }) => formatTime(at) },
  { title: 'MESSAGE', text: ({ message }) => message },
]
