import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { hasCode } from '../../errors.js'
import { during } from '../client.js'
import type { CliContext, CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { formatFields } from '../format-fields.js'
import { formatSpan, formatTime } from '../format-time.js'
import { createPaint, OUTPUT_FLAGS, terminalWidth, toneOf, type Paint } from '../output-flags.js'
import { findPipeline } from '../remote-pipelines.js'
import { getRun, listTasks, type RemoteRun, type RemoteTask } from '../remote-runs.js'
import { createTable, type Column } from '../table.js'
import { writeTo } from '../write-to.js'

const FLAGS = { ...OUTPUT_FLAGS, ...CONNECTION_FLAGS } as const satisfies FlagTable

export const runShowCommand: CommandSpec = {
  name: 'show',
  alias: 'view',
  summary: 'show a run and its steps',
  operands: '<run>',
  completes: 'run',
  flags: FLAGS,
  examples: [
    'pocketci run show V1StGXR8_Z5jdHi6B-myT --server-url http://127.0.0.1:8080',
    'pocketci run show V1StGXR8_Z5jdHi6B-myT --json | jq -r .status',
  ],
  async run({ context, given, operands: [id = ''] }) {
    const flags = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const [run, tasks] = await during('show run', async () => [
      await getRun(connection, id),
      await listTasks(connection, id),
    ])
    const text = flags.json
      ? `${JSON.stringify({ ...run, tasks }, null, 2)}\n`
      : await describe({
          context,
          connection,
          run,
          tasks,
          paint: createPaint(context, flags.color),
        })
    await writeTo(context.stdout, text)
    return 0
  },
}

interface Shown {
  context: CliContext
  connection: Connection
  run: RemoteRun
  tasks: readonly RemoteTask[]
  paint: Paint
}

async function describe({ context, connection, run, tasks, paint }: Shown): Promise<string> {
  const by = run.triggered_by ? ` by ${run.triggered_by}` : ''
  const fields = formatFields(paint, [
    ['Run', run.id],
    ['Pipeline', await nameOf(connection, run.pipeline_id)],
    ['Status', run.status, toneOf(run.status)],
    ['Generation', run.generation === undefined ? '' : String(run.generation)],
    ['Restarted', restartOf(run)],
    ['Waits', run.waiting_reason ?? ''],
    ['Trigger', `${run.trigger_type}${by}`],
    ['Arguments', (run.trigger_input.args ?? []).map((arg) => JSON.stringify(arg)).join(' ')],
    ['Inputs', inputsOf(run)],
    ['Created', formatTime(run.created_at)],
    ['Started', formatTime(run.started_at)],
    ['Time', formatSpan(run.started_at, run.completed_at)],
    ['Volumes', volumesOf(run)],
    ['Error', run.error_message ?? '', 'bad'],
    ['URL', `${connection.url}/runs/${run.id}/tasks`],
  ])
  if (tasks.length === 0) return fields
  const table = createTable({ columns: COLUMNS, paint, width: terminalWidth(context) })
  return `${fields}\n${table(tasks)}`
}

function restartOf({ restarted_at: at, restarted_by: by }: RemoteRun): string {
  if (at === undefined) return ''
  return `${formatTime(at)}${by ? ` by ${by}` : ''}`
}

function volumesOf({ kept_volumes: kept }: RemoteRun): string {
  if (!kept) return ''
  return `${kept.names?.join(', ') ?? ''} kept until ${formatTime(kept.until)}`.trimStart()
}

function inputsOf({ trigger_input: { inputs = {} } }: RemoteRun): string {
  return Object.entries(inputs)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ')
}

const COLUMNS: readonly Column<RemoteTask>[] = [
  { title: 'STEP', text: ({ step }) => String(step) },
  { title: 'NAME', text: ({ name }) => name },
  {
    title: 'STATUS',
    text: ({ path, payload }) => payload.status + standing(path, payload.kept),
    tone: ({ payload }) => toneOf(payload.status),
  },
  { title: 'CODE', text: ({ payload: { code } }) => (code === undefined ? '' : String(code)) },
  { title: 'TIME', text: ({ payload }) => payload.elapsed ?? '' },
  { title: 'ERROR', text: ({ payload }) => payload.error_message ?? '', tone: () => 'bad' },
]

/** Of a step of a run that was resumed. */
function standing(path: string, isKept = false): string {
  if (isKept) return ' (kept)'
  return /^\/pipeline\/[^/]+\/earlier\//.test(path) ? ' (earlier)' : ''
}

/** A run outlives its pipeline for a moment while that is deleted. */
async function nameOf(connection: Connection, id: string): Promise<string> {
  try {
    return `${(await findPipeline(connection, id)).name} (${id})`
  } catch (error) {
    if (hasCode(error, 'pipeline_not_found')) return id
    throw error
  }
}
