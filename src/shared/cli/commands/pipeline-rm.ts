import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'
import { printable } from '../printable.js'

const FLAGS = { ...CONNECTION_FLAGS } as const satisfies FlagTable

export const rmCommand: CommandSpec = {
  name: 'rm',
  summary: 'delete a pipeline with its runs',
  operands: '<name-or-id>',
  completes: 'pipeline',
  flags: FLAGS,
  examples: ['pocketci pipeline rm hello --server-url http://127.0.0.1:8080'],
  async run({ context, given, operands: [nameOrId = ''] }) {
    const connection = toConnection(readFlags(FLAGS, given, context.env), context.env)
    const { id, name } = await during('find pipeline', () => findPipeline(connection, nameOrId))
    await during(`could not delete pipeline "${name}" (${id})`, async () => {
      const path = pipelinePath(id)
      const response = await request(connection, path, { method: 'DELETE' })
      if (response.ok) return
      throw await refusal(connection, response, { 404: `pipeline "${id}" not found` })
    })
    context.stdout.write(`Pipeline '${printable(name)}' deleted successfully (ID: ${id})\n`)
    return 0
  },
}
