import type { TriggerInput } from '../../shared/contract/trigger-input.js'
import { isTerminal } from '../../shared/contract/statuses.js'
import type { KeptVolumes } from '../../shared/db/kept-volumes.js'
import type { Run } from '../../shared/db/runs.js'
import { describeWait, type WaitReason } from '../../shared/db/wait-reasons.js'
import { formatTime } from './time.js'

/** A run as clients see it, with why it waits if it does and the volumes that it has left; what is empty is left out. */
export function toWireRun(run: Run, reason: WaitReason | undefined, kept?: KeptVolumes) {
  return {
    id: run.id,
    pipeline_id: run.pipelineId,
    status: run.status,
    trigger_type: run.triggerType,
    ...(run.triggeredBy && { triggered_by: run.triggeredBy }),
    trigger_input: toWireInput(run.triggerInput),
    ...(run.concurrencyGroup && { concurrency_group: run.concurrencyGroup }),
    ...(run.errorMessage && { error_message: run.errorMessage }),
    ...(run.generation > 1 && { generation: run.generation }),
    ...(run.restartedAt !== null && { restarted_at: formatTime(run.restartedAt) }),
    ...(run.restartedBy && { restarted_by: run.restartedBy }),
    ...(run.priority !== 'normal' && { priority: run.priority }),
    ...(run.labels.length > 0 && { labels: run.labels }),
    ...(reason && { waiting_reason: describeWait(reason), waiting: toWireReason(reason) }),
    ...(kept && isTerminal(run.status) && { kept_volumes: toWireKept(kept) }),
    ...(run.startedAt !== null && { started_at: formatTime(run.startedAt) }),
    ...(run.completedAt !== null && { completed_at: formatTime(run.completedAt) }),
    created_at: formatTime(run.createdAt),
  }
}

/** The names are known when its containers are removed. */
function toWireKept({ names, until }: KeptVolumes) {
  return { ...(names && { names }), until: formatTime(until) }
}

function toWireReason(reason: WaitReason) {
  switch (reason.kind) {
    case 'wait':
      return { kind: reason.kind, until: formatTime(reason.until) }
    case 'group':
      return { kind: reason.kind, group: reason.group, holder: reason.holder }
    case 'pipeline_limit':
      return { kind: reason.kind, in_flight: reason.inFlight, max_in_flight: reason.limit }
    case 'gate':
      return {
        kind: reason.kind,
        ...(reason.until !== null && { until: formatTime(reason.until) }),
      }
    case 'run':
      return { kind: reason.kind }
    case 'cleanup':
    case 'executors':
    case 'alone':
    case 'slots':
    case 'turn':
      return reason
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

/** What a run was started with, the empty members left out. */
export function toWireInput({
  args,
  jobs,
  inputs,
  upstream_run_ids: upstream,
  webhook,
}: TriggerInput) {
  return {
    ...(args?.length && { args }),
    ...(jobs?.length && { jobs }),
    ...(inputs && { inputs }),
    ...(upstream?.length && { upstream_run_ids: upstream }),
    ...(webhook && { webhook }),
  }
}
