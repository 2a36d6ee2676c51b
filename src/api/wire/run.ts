import type { TriggerInput } from '../../shared/contract/trigger-input.js'
import type { Run } from '../../shared/db/runs.js'
import { formatTime } from './time.js'

/** A run as clients see it; what is empty is left out. */
export function toWireRun(run: Run) {
  return {
    id: run.id,
    pipeline_id: run.pipelineId,
    status: run.status,
    trigger_type: run.triggerType,
    ...(run.triggeredBy && { triggered_by: run.triggeredBy }),
    trigger_input: toWireInput(run.triggerInput),
    ...(run.concurrencyGroup && { concurrency_group: run.concurrencyGroup }),
    ...(run.errorMessage && { error_message: run.errorMessage }),
    ...(run.status === 'queued' && run.waitReason && { waiting_reason: run.waitReason }),
    ...(run.startedAt !== null && { started_at: formatTime(run.startedAt) }),
    ...(run.completedAt !== null && { completed_at: formatTime(run.completedAt) }),
    created_at: formatTime(run.createdAt),
  }
}

/** The answer to an accepted trigger. */
export function toWireTriggered(run: Run) {
  return {
    run_id: run.id,
    pipeline_id: run.pipelineId,
    status: run.status,
    trigger_type: run.triggerType,
    triggered_by: run.triggeredBy,
    trigger_input: toWireInput(run.triggerInput),
    message: 'pipeline execution started',
  }
}

function toWireInput({ args, jobs, inputs, upstream_run_ids: upstream, webhook }: TriggerInput) {
  return {
    ...(args?.length && { args }),
    ...(jobs?.length && { jobs }),
    ...(inputs && { inputs }),
    ...(upstream?.length && { upstream_run_ids: upstream }),
    ...(webhook && { webhook }),
  }
}
