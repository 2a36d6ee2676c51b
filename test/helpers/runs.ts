import { until } from './until.js'
import type { TestServer } from './server.js'

/** A run as the API answers it. */
export interface ApiRun {
  id: string
  status: 'queued' | 'running' | 'success' | 'failed' | 'skipped'
  error_message?: string
  started_at?: string
  completed_at?: string
  kept_volumes?: { names?: string[]; until: string }
}

export interface ApiTask {
  name: string
  path: string
  payload: {
    status: string
    code?: number
    error_message?: string
    logs?: { type: 'stdout' | 'stderr'; content: string }[]
  }
}

/** Starts a run; fails unless it is accepted. */
export async function trigger(
  server: TestServer,
  id: string,
  args: string[] = [],
): Promise<string> {
  const response = await server.api(`/api/pipelines/${id}/trigger`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(args.length > 0 ? { mode: 'args', args } : {}),
  })
  if (response.status !== 202)
    throw new Error(`trigger: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { run_id: string }).run_id
}

export async function getRun(server: TestServer, runId: string): Promise<ApiRun> {
  return (await (await server.api(`/api/runs/${runId}/status`)).json()) as ApiRun
}

/** Waits for the end of a run. */
export async function ended(
  server: TestServer,
  runId: string,
  timeoutMs = 60_000,
): Promise<ApiRun> {
  return until(
    `run ${runId} ends`,
    async () => {
      const run = await getRun(server, runId)
      return run.status === 'queued' || run.status === 'running' ? undefined : run
    },
    timeoutMs,
  )
}

/** Sets a pipeline of this content, runs it once and waits for its end. */
export async function runOnce(server: TestServer, name: string, content: string): Promise<ApiRun> {
  return ended(server, await trigger(server, await server.setPipeline(name, content)))
}

export async function getTasks(server: TestServer, runId: string): Promise<ApiTask[]> {
  return (await (await server.api(`/api/runs/${runId}/tasks`)).json()) as ApiTask[]
}

/** All output of one stream of a task. */
export function outputOf(task: ApiTask | undefined, type: 'stdout' | 'stderr' = 'stdout'): string {
  const logs = task?.payload.logs ?? []
  return logs
    .filter((log) => log.type === type)
    .map((log) => log.content)
    .join('')
}
