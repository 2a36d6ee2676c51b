import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { runPath, runTexts } from '../remote-runs.js'

const FLAGS = { ...CONNECTION_FLAGS } as const satisfies FlagTable

const stoppedSchema = z.object({ status: z.enum(['stopped', 'stopping']) })

export const runStopCommand: CommandSpec = {
  name: 'stop',
  alias: 'cancel',
  summary: 'stop a run, queued or running',
  operands: '<run>',
  completes: 'run',
  flags: FLAGS,
  examples: ['pocketci run stop V1StGXR8_Z5jdHi6B-myT --server-url http://127.0.0.1:8080'],
  async run({ context, given, operands: [id = ''] }) {
    const connection = toConnection(readFlags(FLAGS, given, context.env), context.env)
    const status = await during(`could not stop run "${id}"`, async () => {
      const response = await request(connection, `${runPath(id)}/stop`, { method: 'POST' })
      if (response.ok) return (await readJson(response, stoppedSchema)).status
      throw await refusal(connection, response, runTexts(id))
    })
    context.stdout.write(
      status === 'stopped' ? `Run '${id}' stopped\n` : `Run '${id}' is stopping\n`,
    )
    return 0
  },
}
