import { z } from 'zod'
import type { FlagTable, ValuesOf } from '../../config/flag.js'
import { AppError } from '../../errors.js'
import { choice, list, pairs, text } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { INPUT_FLAG, parseInputs } from '../input-flag.js'
import { JSON_FLAG } from '../output-flags.js'
import { findPipeline, pipelinePath } from '../remote-pipelines.js'
import { printable } from '../printable.js'

const group = 'Run'
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const FLAGS = {
  args: { kind: list, short: 'a', doc: 'argument of the run; repeatable', group },
  job: { kind: list, short: 'j', doc: 'run only these jobs; repeatable', group },
  ...INPUT_FLAG,
  'webhook-body': { kind: text, doc: 'run it as of a webhook with this body', group },
  'webhook-method': {
    kind: choice(METHODS),
    default: 'POST',
    doc: 'method of that webhook',
    group,
  },
  'webhook-header': { kind: pairs, doc: 'header of that webhook; repeatable', group },
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
      const webhook = webhookOf(flags)
      const body = webhook
        ? { mode: 'webhook', webhook }
        : toBody(flags.args ?? [], flags.job ?? [], inputs)
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

/** A body or a header makes it a webhook; undefined: it is none. */
function webhookOf(flags: ValuesOf<typeof FLAGS>) {
  const { 'webhook-body': body, 'webhook-header': given = [] } = flags
  if (body === undefined && given.length === 0) return undefined
  const headers = given.map((pair) => {
    const at = pair.indexOf('=')
    if (at < 1)
      throw new AppError(
        'usage_invalid',
        `invalid webhook header ${JSON.stringify(pair)}: expected KEY=VALUE`,
      )
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  const method = flags['webhook-method']
  return { method, headers: Object.fromEntries(headers), body: body ?? '' }
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
