import { z } from 'zod'
import { readJson, refusal, request } from './client.js'
import type { Connection } from './connection.js'
import { pipelinePath, type RemotePipeline } from './remote-pipelines.js'

/** A schedule as the server gives it; what is not named here is kept for --json. */
const scheduleSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  schedule_type: z.string().default(''),
  schedule_expr: z.string().default(''),
  enabled: z.boolean().default(false),
  next_run_at: z.string().optional(),
})
export type RemoteSchedule = z.infer<typeof scheduleSchema>

export async function listSchedules(
  connection: Connection,
  { id }: RemotePipeline,
): Promise<RemoteSchedule[]> {
  const response = await request(connection, `${pipelinePath(id)}/schedules`)
  if (!response.ok) throw await refusal(connection, response, { 404: `pipeline "${id}" not found` })
  return await readJson(response, z.array(scheduleSchema))
}
