import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { formatTime } from '../format-time.js'
import { pipelineSchema, type RemotePipeline } from '../remote-pipelines.js'
import { listFlags, showList } from '../show-list.js'
import type { Column } from '../table.js'

const FLAGS = { ...listFlags('0'), ...CONNECTION_FLAGS } as const satisfies FlagTable

const COLUMNS: readonly Column<RemotePipeline>[] = [
  { title: 'NAME', text: ({ name }) => name },
  { title: 'DRIVER', text: ({ driver }) => driver },
  {
    title: 'PAUSED',
    text: ({ paused }) => (paused ? 'yes' : 'no'),
    tone: ({ paused }) => (paused ? 'busy' : 'plain'),
  },
  { title: 'CREATED', text: ({ created_at: at }) => formatTime(at) },
]

export const lsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list pipelines',
  flags: FLAGS,
  examples: [
    'pocketci pipeline ls --server-url http://127.0.0.1:8080',
    "pocketci pipeline ls --json | jq -r '.[] | select(.paused) | .name'",
  ],
  run({ context, given }) {
    const flags = readFlags(FLAGS, given, context.env)
    return showList({
      context,
      flags,
      connection: toConnection(flags, context.env),
      purpose: 'list pipelines',
      path: '/api/pipelines',
      item: pipelineSchema,
      columns: COLUMNS,
    })
  },
}
