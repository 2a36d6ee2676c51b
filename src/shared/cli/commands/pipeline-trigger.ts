import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { list, pairs, text } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { INPUT_FLAG, parseInputs } from '../input-flag.js'
import { JSON_FLAG } from '../output-flags.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'
import { printable } from '../printable.js'

const group = 'Run'
const later = 'pass arguments with --args'

const FLAGS = {
  args: { kind: list, short: 'a', doc: 'argument of the run; repeatable', group },
  job: { kind: list, short: 'j', doc: 'run only these jobs; repeatable', group },
  ...INPUT_FLAG,
  'webhook-body': { kind: text, doc: 'JSON body of a webhook run', group, later },
  'webhook-method': { kind: text, default: 'POST', doc: 'method of a webhook run', group, later },
  'webhook-header': { kind: pairs, doc: 'header of a webhook run', group, later },
  ...JSON_FLAG,
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

/** The whole answer is kept for --json. */
const triggeredSchema = z.looseObject({ run_id: z.string() })

export const triggerCommand: CommandSpec = {
  name: 'trigger',
  summary: 'start a run and return at once',
  operands: '<name-or-id>',
  completes: 'pipeline',
  flags: FLAGS,
  examples: [
    'pocketci pipeline trigger hello --args one --args two -s http://127.0.0.1:8080',
    'run=$(pocketci pipeline trigger hello --json | jq -r .run_id); pocketci run logs "$run" --follow',
  ],
  async run({ context, given, operands: [nameOrId = ''] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const { id, name } = await during('find pipeline', () => findPipeline(connection, nameOrId))
    const inputs = parseInputs(flags.input)
    const run = await during('trigger pipeline', async () => {
      const path = `${pipelinePath(id)}/trigger`
      const body = toBody(flags.args ?? [], flags.job ?? [], inputs)
      const response = await request(connection, path, { method: 'POST', body })
      if (response.status === 202) return await readJson(response, triggeredSchema)
      throw await refusal(connection, response, {
        404: `pipeline "${id}" not found`,
        409: `pipeline "${id}" is paused`,
        429: 'max concurrent executions reached',
      })
    })
    context.stdout.write(
      flags.json
        ? `${JSON.stringify(run)}\n`
        : `Pipeline '${printable(name)}' triggered successfully (run: ${run.run_id})\n`,
    )
    return 0
  },
}

function toBody(
  args: readonly string[],
  jobs: readonly string[],
  inputs: Record<string, string>,
): Record<string, unknown> {
  return {
    ...(args.length > 0 ? { mode: 'args', args } : {}),
    ...(jobs.length > 0 ? { jobs } : {}),
    ...(Object.keys(inputs).length > 0 ? { inputs } : {}),
  }
}
