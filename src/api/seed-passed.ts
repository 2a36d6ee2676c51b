import type { createPipelines } from '../shared/db/pipelines.js'
import type { EarlyEnd, Runs } from '../shared/db/runs.js'
import type { Tasks } from '../shared/db/tasks.js'

export interface SeedPassed {
  runId: string
  pipelineId: string
  job: string
  /** Who asked, for the record. */
  by: string
  requestId: string
  now: number
}

export interface SeedTables {
  pipelines: ReturnType<typeof createPipelines>
  runs: Runs
  tasks: Tasks
}

const PASSED: EarlyEnd = { status: 'success', errorCode: '', errorMessage: '' }

/** Records that a job has passed, as a run of its own that nobody executes. False: no such pipeline. */
export function seedPassed(
  { pipelines, runs, tasks }: SeedTables,
  { runId, pipelineId, job, by, requestId, now }: SeedPassed,
): boolean {
  if (!pipelines.findRules(pipelineId)) return false
  const run = { id: runId, pipelineId, triggeredBy: by, requestId, triggerInput: {} }
  runs.insert({ ...run, triggerType: 'seed' }, now, PASSED)
  tasks.insertSeeded(runId, job, now)
  return true
}
