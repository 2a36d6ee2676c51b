import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { hasCode } from '../../errors.js'
import { during } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { formatSpan, formatTime } from '../format-time.js'
import { toneOf } from '../output-flags.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'
import { runSchema, type RemoteRun } from '../remote-runs.js'
import { listFlags, showList } from '../show-list.js'
import type { Column } from '../table.js'

const FLAGS = { ...listFlags('20'), ...CONNECTION_FLAGS } as const satisfies FlagTable

export const runLsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list runs, the newest first',
  operands: '[pipeline]',
  completes: 'pipeline',
  flags: FLAGS,
  examples: [
    'pocketci run ls --server-url http://127.0.0.1:8080',
    'pocketci run ls hello --limit 100 --json | jq -r \'.[] | select(.status == "failed") | .id\'',
  ],
  async run({ context, given, operands: [pipeline] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const names = new Map<string, string>()
    const of = pipeline
      ? await during('find pipeline', () => findPipeline(connection, pipeline))
      : undefined
    if (of) names.set(of.id, of.name)
    return await showList({
      context,
      flags,
      connection,
      purpose: 'list runs',
      path: of ? `${pipelinePath(of.id)}/runs` : '/api/runs',
      item: runSchema,
      columns: columnsOf(names),
      prepare: (rows) => findNames(connection, names, rows),
    })
  },
}

function columnsOf(names: ReadonlyMap<string, string>): Column<RemoteRun>[] {
  return [
    { title: 'ID', text: ({ id }) => id },
    { title: 'PIPELINE', text: ({ pipeline_id: id }) => names.get(id) ?? id },
    { title: 'STATUS', text: ({ status }) => status, tone: ({ status }) => toneOf(status) },
    { title: 'TRIGGER', text: ({ trigger_type: type }) => type },
    { title: 'CREATED', text: ({ created_at: at }) => formatTime(at) },
    { title: 'TIME', text: ({ started_at: from, completed_at: to }) => formatSpan(from, to) },
  ]
}

/** The pipelines of some runs; one that was deleted meanwhile keeps its id for a name. */
async function findNames(
  connection: Connection,
  names: Map<string, string>,
  runs: readonly RemoteRun[],
): Promise<void> {
  for (const { pipeline_id: id } of runs) {
    if (names.has(id)) continue
    try {
      names.set(id, (await findPipeline(connection, id)).name)
    } catch (error) {
      if (!hasCode(error, 'pipeline_not_found')) throw error
      names.set(id, id)
    }
  }
}
