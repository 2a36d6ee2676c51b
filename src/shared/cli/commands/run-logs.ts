import type { FlagTable } from '../../config/flag.js'
import { boolean, filledText } from '../../config/kinds.js'
import { readFlags } from '../../config/read-flags.js'
import { AppError, errorMessage } from '../../errors.js'
import { during, refusal, request } from '../client.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { readFollowEvents } from '../follow-events.js'
import { printable, printableLines } from '../printable.js'
import { readBytes } from '../../read-response.js'
import { listTasks, runPath, runTexts } from '../remote-runs.js'
import { writeTo } from '../write-to.js'

const group = 'Output'

const FLAGS = {
  step: {
    kind: filledText,
    doc: 'the output of this step alone: its name or its number; 0 is what the pipeline itself printed',
    group,
  },
  follow: {
    kind: boolean,
    short: 'f',
    default: 'false',
    doc: 'go on until the run ends and exit with 1 when it failed',
    group,
  },
  ...CONNECTION_FLAGS,
} as const satisfies FlagTable

interface LogRequest {
  context: CliContext
  connection: Connection
  id: string
  /** Undefined: all of them. */
  step: number | undefined
}

export const runLogsCommand: CommandSpec = {
  name: 'logs',
  alias: 'log',
  summary: 'print the output of a run',
  description:
    'Prints the output of a run, byte for byte as it was stored. With --follow it starts with the last megabyte of each step and goes on until the run ends; Ctrl-C leaves the run alone.',
  operands: '<run>',
  completes: 'run',
  flags: FLAGS,
  examples: [
    'pocketci run logs V1StGXR8_Z5jdHi6B-myT --step build --server-url http://127.0.0.1:8080',
    'pocketci run logs V1StGXR8_Z5jdHi6B-myT --follow',
  ],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    return await during('run logs', async () => {
      const step = flags.step === undefined ? undefined : await findStep(connection, id, flags.step)
      const wanted = { context, connection, id, step }
      return flags.follow ? await followLogs(wanted) : await printLogs(wanted)
    })
  },
}

/** A number is one, whatever steps are called. Of several steps of one name the last counts. */
export async function findStep(connection: Connection, id: string, step: string): Promise<number> {
  if (/^\d{1,15}$/.test(step)) return Number(step)
  const found = (await listTasks(connection, id)).findLast(({ name }) => name === step)
  if (found) return found.step
  throw new AppError('task_not_found', `run "${id}" has no step ${JSON.stringify(step)}`)
}

async function printLogs({ context, connection, id, step }: LogRequest): Promise<number> {
  const query = step === undefined ? '' : `?step=${step}`
  const response = await request(connection, `${runPath(id)}/logs${query}`, {
    accept: 'text/plain',
  })
  if (!response.ok) throw await refusal(connection, response, runTexts(id))
  await unlessBroken(async () => {
    for await (const bytes of readBytes(response)) await writeTo(context.stdout, bytes)
  })
  return 0
}

/** 1 when the run failed. */
export async function followLogs({ context, connection, id, step }: LogRequest): Promise<number> {
  const { stdout, stderr } = context
  const response = await request(connection, `${runPath(id)}/events`, {
    accept: 'text/event-stream',
  })
  if (!response.ok) throw await refusal(connection, response, runTexts(id))
  const isWanted = (of: number): boolean => step === undefined || step === of
  const code = await unlessBroken(async () => {
    for await (const event of readFollowEvents(readBytes(response)))
      switch (event.type) {
        case 'output':
          if (isWanted(event.step)) await writeTo(stdout, event.text)
          break
        case 'skipped':
          if (isWanted(event.step))
            stderr.write(
              `note: the first ${event.bytes} bytes of step ${event.step} are not shown; they are without --follow\n`,
            )
          break
        case 'waiting':
          stderr.write(`waiting: ${printable(event.reason)}\n`)
          break
        case 'end':
          if (event.message) stderr.write(`${printableLines(event.message)}\n`)
          return event.isGood ? 0 : 1
      }
    return undefined
  })
  if (code !== undefined) return code
  throw new AppError(
    'stream_broken',
    'the server ended the stream before the run; how the run ends is unknown here',
  )
}

async function unlessBroken<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('stream_broken', `error reading stream: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}
