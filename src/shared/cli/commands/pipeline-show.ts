import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { boolean } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { usageError } from '../report-error.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { formatFields } from '../format-fields.js'
import { formatTime } from '../format-time.js'
import { createPaint, OUTPUT_FLAGS } from '../output-flags.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'
import { writeTo } from '../write-to.js'

const FLAGS = {
  source: { kind: boolean, default: 'false', doc: 'print its source alone', group: 'Output' },
  ...OUTPUT_FLAGS,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

/** What else the server says of it is kept for --json. */
const storedSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  content: z.string(),
  content_type: z.string().default(''),
  driver: z.string().default(''),
  paused: z.boolean().default(false),
  created_at: z.string().default(''),
  updated_at: z.string().default(''),
})

export const showCommand: CommandSpec = {
  name: 'show',
  summary: 'show a pipeline, or its source',
  operands: '<name-or-id>',
  completes: 'pipeline',
  flags: FLAGS,
  examples: [
    'pocketci pipeline show hello --server-url http://127.0.0.1:8080',
    'pocketci pipeline show hello --source > hello.ts',
  ],
  async run({ context, given, operands: [nameOrId = ''] }) {
    const flags = readFlags(FLAGS, given, context.env)
    if (flags.source && flags.json) throw usageError('--source and --json exclude one another')
    const connection = toConnection(flags, context.env)
    const found = await during('find pipeline', () => findPipeline(connection, nameOrId))
    const pipeline = await during('show pipeline', () => get(connection, found.id))
    if (flags.source) await writeTo(context.stdout, pipeline.content)
    else if (flags.json) await writeTo(context.stdout, `${JSON.stringify(pipeline, null, 2)}\n`)
    else {
      const paint = createPaint(context, flags.color)
      context.stdout.write(
        formatFields(paint, [
          ['Name', pipeline.name],
          ['ID', pipeline.id],
          ['Driver', pipeline.driver],
          ['Paused', pipeline.paused ? 'yes' : 'no', pipeline.paused ? 'busy' : 'plain'],
          ['Type', pipeline.content_type],
          ['Size', `${Buffer.byteLength(pipeline.content)} bytes`],
          ['Created', formatTime(pipeline.created_at)],
          ['Updated', formatTime(pipeline.updated_at)],
          ['URL', `${connection.url}/pipelines/${pipeline.id}/`],
        ]),
      )
    }
    return 0
  },
}

async function get(connection: Connection, id: string): Promise<z.infer<typeof storedSchema>> {
  const response = await request(connection, pipelinePath(id))
  if (!response.ok) throw await refusal(connection, response, { 404: `pipeline "${id}" not found` })
  return await readJson(response, storedSchema)
}
