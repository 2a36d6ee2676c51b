import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { during } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection } from '../connection.js'
import { JSON_FLAG } from '../output-flags.js'
import { printable } from '../printable.js'
import { findPipeline } from '../remote-pipelines.js'
import { listSchedules, type RemoteSchedule } from '../remote-schedules.js'
import { writeTo } from '../write-to.js'

const FLAGS = { ...JSON_FLAG, ...CONNECTION_FLAGS } as const satisfies FlagTable

export const scheduleLsCommand: CommandSpec = {
  name: 'ls',
  alias: 'list',
  summary: 'list the schedules of a pipeline',
  operands: '<pipeline>',
  completes: 'pipeline',
  flags: FLAGS,
  examples: ['pocketci pipeline schedule ls nightly --server-url http://127.0.0.1:8080'],
  async run({ context, given, operands: [nameOrId = ''] }) {
    const { json, ...flags } = readFlags(FLAGS, given, context.env)
    const connection = toConnection(flags, context.env)
    const pipeline = await during('find pipeline', () => findPipeline(connection, nameOrId))
    const schedules = await during('list schedules', () => listSchedules(connection, pipeline))
    const lines =
      schedules.length > 0
        ? schedules.map((schedule) => formatSchedule(schedule))
        : [`No schedules for pipeline '${printable(pipeline.name)}'`]
    const text = json ? JSON.stringify(schedules, null, 2) : lines.join('\n')
    await writeTo(context.stdout, `${text}\n`)
    return 0
  },
}

/** The columns are those that scripts of other clients expect. */
function formatSchedule(schedule: RemoteSchedule): string {
  const { name, schedule_type: type, schedule_expr: expr, enabled, next_run_at: next } = schedule
  const columns = [
    printable(name).padEnd(20),
    printable(type).padEnd(10),
    printable(expr).padEnd(12),
    (enabled ? 'enabled' : 'paused').padEnd(8),
  ]
  const time = next === undefined ? 'never' : printable(next).replace(/\.\d+Z$/, 'Z')
  return `${columns.join(' ')} next: ${time}`
}
