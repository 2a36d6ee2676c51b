import { z } from 'zod'
import { readJson, refusal, request } from './client.js'
import type { Connection } from './connection.js'

/** A run as the server gives it; what is not named here is kept for --json. */
export const runSchema = z.looseObject({
  id: z.string(),
  pipeline_id: z.string(),
  status: z.string(),
  trigger_type: z.string().default(''),
  triggered_by: z.string().optional(),
  trigger_input: z
    .looseObject({
      args: z.array(z.string()).optional(),
      inputs: z.record(z.string(), z.unknown()).optional(),
    })
    .default({}),
  error_message: z.string().optional(),
  waiting_reason: z.string().optional(),
  generation: z.number().optional(),
  restarted_at: z.string().optional(),
  restarted_by: z.string().optional(),
  kept_volumes: z
    .looseObject({ names: z.array(z.string()).optional(), until: z.string() })
    .optional(),
  created_at: z.string().default(''),
  started_at: z.string().optional(),
  completed_at: z.string().optional(),
})
export type RemoteRun = z.infer<typeof runSchema>

/** A step of a run; its number is that of its output. */
const taskSchema = z.object({
  step: z.number(),
  name: z.string(),
  path: z.string(),
  payload: z.object({
    status: z.string(),
    started_at: z.string().optional(),
    elapsed: z.string().optional(),
    code: z.number().optional(),
    error_message: z.string().optional(),
    kept: z.boolean().optional(),
  }),
})
export type RemoteTask = z.infer<typeof taskSchema>

export async function getRun(connection: Connection, id: string): Promise<RemoteRun> {
  const response = await request(connection, `${runPath(id)}/status`)
  if (!response.ok) throw await refusal(connection, response, runTexts(id))
  return await readJson(response, runSchema)
}

/** The steps of a run in the order of their creation, without their output. */
export async function listTasks(connection: Connection, id: string): Promise<RemoteTask[]> {
  const response = await request(connection, `${runPath(id)}/tasks?output=false`)
  if (!response.ok) throw await refusal(connection, response, runTexts(id))
  return await readJson(response, z.array(taskSchema))
}

/** Below it are the routes of one run. */
export function runPath(id: string): string {
  return `/api/runs/${encodeURIComponent(id)}`
}

/** What a refusal of a run's route means. */
export function runTexts(id: string): Record<number, string> {
  return { 404: `run "${id}" not found`, 409: `run "${id}" is not in flight` }
}
