import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { JSON_FLAG } from '../output-flags.js'
import { printable } from '../printable.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'

const FLAGS = { ...JSON_FLAG, ...CONNECTION_FLAGS } as const satisfies FlagTable

/** The whole answer is kept for --json. */
const seededSchema = z.looseObject({ job: z.string(), run_id: z.string() })

export const seedPassedCommand: CommandSpec = {
  name: 'seed-passed',
  summary: 'record that a job has passed, without running it',
  operands: '<pipeline> <job>',
  completes: 'pipeline',
  flags: FLAGS,
  examples: ['pocketci pipeline seed-passed release build --server-url http://127.0.0.1:8080'],
  async run({ context, given, operands: [nameOrId = '', job = ''] }) {
    const { json, ...flags } = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const { id, name } = await during('find pipeline', () => findPipeline(connection, nameOrId))
    const seeded = await during('seed job passed', async () => {
      const path = `${pipelinePath(id)}/jobs/${encodeURIComponent(job)}/seed-passed`
      const response = await request(connection, path, { method: 'POST' })
      if (response.ok) return await readJson(response, seededSchema)
      throw await refusal(connection, response, { 404: `pipeline "${id}" not found` })
    })
    const [shownJob, shownName] = [printable(seeded.job), printable(name)]
    context.stdout.write(
      json
        ? `${JSON.stringify(seeded)}\n`
        : `Seeded passed status for job '${shownJob}' in pipeline '${shownName}' (run: ${seeded.run_id})\n`,
    )
    return 0
  },
}
