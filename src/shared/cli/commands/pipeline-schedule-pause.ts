import type { FlagTable } from '../../config/flag.js'
import { readFlags } from '../../config/read-flags.js'
import { AppError } from '../../errors.js'
import { during, refusal, request } from '../client.js'
import type { CommandSpec } from '../command-spec.js'
import { CONNECTION_FLAGS, toConnection, type Connection } from '../connection.js'
import { printable } from '../printable.js'
import { findPipeline, type RemotePipeline } from '../remote-pipelines.js'
import { listSchedules } from '../remote-schedules.js'

const FLAGS = { ...CONNECTION_FLAGS } as const satisfies FlagTable

export const schedulePauseCommand = switchCommand('pause', 'start no runs by a schedule')
export const scheduleUnpauseCommand = switchCommand('unpause', 'let a paused schedule go on')

function switchCommand(verb: 'pause' | 'unpause', summary: string): CommandSpec {
  return {
    name: verb,
    summary,
    operands: '<pipeline> <schedule>',
    completes: 'pipeline',
    flags: FLAGS,
    examples: [`pocketci pipeline schedule ${verb} build nightly -s http://127.0.0.1:8080`],
    async run({ context, given, operands: [nameOrId = '', schedule = ''] }) {
      const connection = toConnection(readFlags(FLAGS, given, context.env), context.env)
      const pipeline = await during('find pipeline', () => findPipeline(connection, nameOrId))
      const id = await findSchedule(connection, pipeline, schedule)
      await during('set schedule enabled', async () => {
        const path = `/api/schedules/${encodeURIComponent(id)}/enabled`
        const body = { enabled: verb === 'unpause' }
        const response = await request(connection, path, { method: 'PUT', body })
        if (!response.ok)
          throw await refusal(connection, response, { 404: textOfMissing(pipeline, schedule) })
      })
      const [name, pipelineName] = [printable(schedule), printable(pipeline.name)]
      context.stdout.write(`Schedule '${name}' ${verb}d for pipeline '${pipelineName}'\n`)
      return 0
    },
  }
}

async function findSchedule(
  connection: Connection,
  pipeline: RemotePipeline,
  name: string,
): Promise<string> {
  const schedules = await during('list schedules', () => listSchedules(connection, pipeline))
  const found = schedules.find((schedule) => schedule.name === name)
  if (found) return found.id
  throw new AppError('schedule_not_found', textOfMissing(pipeline, name))
}

function textOfMissing(pipeline: RemotePipeline, name: string): string {
  return `schedule "${name}" not found for pipeline "${pipeline.name}"`
}
