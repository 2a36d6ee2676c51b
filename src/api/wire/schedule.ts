import type { Schedule } from '../../shared/db/schedules.js'
import { toWireInput } from './run.js'
import { formatTime } from './time.js'

/** A schedule as clients see it, with what its runs are given if that is anything. */
export function toWireSchedule(schedule: Schedule) {
  const { lastRunAt, nextRunAt, triggerInput } = schedule
  return {
    id: schedule.id,
    pipeline_id: schedule.pipelineId,
    name: schedule.name,
    schedule_type: schedule.type,
    schedule_expr: schedule.expr,
    job_name: schedule.jobName,
    ...(Object.keys(triggerInput).length > 0 && { trigger_input: toWireInput(triggerInput) }),
    enabled: schedule.isEnabled,
    ...(lastRunAt !== null && { last_run_at: formatTime(lastRunAt) }),
    ...(nextRunAt !== null && { next_run_at: formatTime(nextRunAt) }),
    created_at: formatTime(schedule.createdAt),
    updated_at: formatTime(schedule.updatedAt),
  }
}
