import { z } from 'zod'
import { choice, filledText } from '../../config/kinds.js'
import type { FlagTable, ValuesOf } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { readBytes } from '../../read-response.js'
import { during, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { formatTime } from '../format-time.js'
import { listFlags, showList } from '../show-list.js'
import type { Column } from '../table.js'
import { writeTo } from '../write-to.js'

const group = 'Which'

const FILTER_FLAGS = {
  by: { kind: filledText, doc: 'what this one did, as the log names them', group },
  action: { kind: filledText, doc: 'this action alone, such as pipeline.delete', group },
  outcome: { kind: choice(['success', 'denied']), doc: 'success or denied', group },
  pipeline: { kind: filledText, doc: 'of this pipeline, by name or id', group },
  since: { kind: filledText, doc: 'from this time, such as 2026-11-24T18:00:00Z', group },
  until: { kind: filledText, doc: 'before this time', group },
} as const satisfies FlagTable
const LIST_FLAGS = {
  ...FILTER_FLAGS,
  ...listFlags('20'),
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable
const EXPORT_FLAGS = { ...FILTER_FLAGS, ...CONNECTION_FLAGS } as const satisfies FlagTable

const entrySchema = z.looseObject({
  at: z.string(),
  action: z.string(),
  outcome: z.string(),
  actor: z.string().default(''),
  pipeline_id: z.string().default(''),
  target: z.string().default(''),
  address: z.string().default(''),
})
type RemoteEntry = z.infer<typeof entrySchema>

export const auditLsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list who did what, the newest first',
  flags: LIST_FLAGS,
  examples: [
    'pocketci audit ls --server-url https://ci.example.com',
    'pocketci audit ls --outcome denied --since 2026-11-24T00:00:00Z',
  ],
  async run({ context, given }) {
    const flags = readFlags(LIST_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    return await showList({
      ...{ context, flags, connection, columns: COLUMNS, item: entrySchema },
      purpose: 'list the audit log',
      path: `/api/audit${toQuery(flags)}`,
    })
  },
}

const COLUMNS: readonly Column<RemoteEntry>[] = [
  { title: 'AT', text: ({ at }) => formatTime(at) },
  { title: 'BY', text: ({ actor }) => actor },
  { title: 'ACTION', text: ({ action }) => action },
  {
    title: 'OUTCOME',
    text: ({ outcome }) => outcome,
    tone: ({ outcome }) => (outcome === 'denied' ? 'bad' : 'plain'),
  },
  { title: 'PIPELINE', text: ({ pipeline_id: id }) => id.slice(0, 8) },
  { title: 'TARGET', text: ({ target }) => target },
  { title: 'FROM', text: ({ address }) => address },
]

export const auditExportCommand: CommandSpec = {
  name: 'export',
  summary: 'print the audit log as a line of JSON an entry, the oldest first',
  flags: EXPORT_FLAGS,
  examples: ['pocketci audit export --server-url https://ci.example.com > audit.ndjson'],
  async run({ context, given }) {
    const flags = readFlags(EXPORT_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    await during('export the audit log', async () => {
      const path = `/api/audit/export${toQuery(flags)}`
      const response = await request(connection, path, { accept: 'application/x-ndjson' })
      if (!response.ok) throw await refusal(connection, response)
      for await (const bytes of readBytes(response)) await writeTo(context.stdout, bytes)
    })
    return 0
  },
}

function toQuery(flags: Partial<ValuesOf<typeof FILTER_FLAGS>>): string {
  const { by, action, outcome, pipeline, since, until } = flags
  const given = Object.entries({ actor: by, action, outcome, pipeline, since, until }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
  const query = new URLSearchParams(given).toString()
  return query === '' ? '' : `?${query}`
}
