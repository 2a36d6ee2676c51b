import { z } from 'zod'
import type { FlagTable } from '../../config/flag.js'
import { boolean, filledText } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { AppError } from '../../errors.js'
import { during, readJson, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { runPath } from '../remote-runs.js'
import { findStep, followLogs } from './run-logs.js'

const group = 'Run'
const FOLLOW_FLAG = {
  follow: {
    kind: boolean,
    short: 'f',
    default: 'false',
    doc: 'print its output until it ends and exit with 1 when it failed',
    group,
  },
} as const satisfies FlagTable

const RESUME_FLAGS = { ...FOLLOW_FLAG, ...CONNECTION_FLAGS } as const satisfies FlagTable
const RERUN_FLAGS = {
  from: {
    kind: filledText,
    doc: 'the first step that is done again: its name or its number',
    group,
  },
  ...RESUME_FLAGS,
} as const satisfies FlagTable

const ID = 'V1StGXR8_Z5jdHi6B-myT'

export const runResumeCommand: CommandSpec = {
  name: 'resume',
  summary: 'go on with a run that failed',
  description:
    'Runs the pipeline of a failed run again, as the same run with the same arguments. Steps that ended well are not done again; those with mounts only while the server keeps the volumes of the run (--keep-volumes).',
  operands: '<run>',
  completes: 'run',
  flags: RESUME_FLAGS,
  examples: [`pocketci run resume ${ID} --follow`],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(RESUME_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const { volumes } = await during(`could not resume run "${id}"`, () =>
      ask(connection, id, { verb: 'resume' }),
    )
    context.stdout.write(`Run '${id}' is resuming${withVolumes(volumes)}\n`)
    return flags.follow ? await followLogs({ context, connection, id, step: undefined }) : 0
  },
}

export const runRerunCommand: CommandSpec = {
  name: 'rerun',
  summary: 'run a run again from one of its steps',
  description:
    'Runs the pipeline of a run that has ended again, as the same run. Steps that were asked for before the given one and ended well are not done again; those with mounts only while the server keeps the volumes of the run (--keep-volumes).',
  operands: '<run>',
  completes: 'run',
  flags: RERUN_FLAGS,
  examples: [`pocketci run rerun ${ID} --from test`],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(RERUN_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const wanted = flags.from
    if (wanted === undefined)
      throw new AppError('usage_invalid', '--from is needed: a step of the run')
    const { volumes } = await during(`could not run "${id}" again`, async () => {
      const from = await findStep(connection, id, wanted)
      return await ask(connection, id, { verb: 'rerun', body: { from } })
    })
    context.stdout.write(`Run '${id}' runs again from step '${wanted}'${withVolumes(volumes)}\n`)
    return flags.follow ? await followLogs({ context, connection, id, step: undefined }) : 0
  },
}

export const runRetriggerCommand: CommandSpec = {
  name: 'retrigger',
  summary: 'start a new run with the input of another',
  operands: '<run>',
  completes: 'run',
  flags: RESUME_FLAGS,
  examples: [`pocketci run retrigger ${ID} --follow`],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(RESUME_FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const { run_id: newId } = await during(`could not retrigger run "${id}"`, () =>
      ask(connection, id, { verb: 'retrigger' }),
    )
    context.stdout.write(`Run '${id}' triggered again (run: ${newId})\n`)
    return flags.follow ? await followLogs({ context, connection, id: newId, step: undefined }) : 0
  },
}

/** Said where the server has kept them. */
function withVolumes(volumes: 'kept' | undefined): string {
  return volumes === 'kept' ? ', with its volumes' : ''
}

const answerSchema = z.object({ run_id: z.string(), volumes: z.literal('kept').optional() })

/** The run that is in the queue then. A refusal's own text says what is wrong. */
async function ask(
  connection: Connection,
  id: string,
  { verb, body }: { verb: string; body?: Record<string, unknown> },
): Promise<z.infer<typeof answerSchema>> {
  const path = `${runPath(id)}/${verb}`
  const response = await request(connection, path, { method: 'POST', body })
  if (response.ok) return await readJson(response, answerSchema)
  throw await refusal(connection, response, { 429: 'max concurrent executions reached' })
}
