import type { DeclaredSchedules } from '../shared/contract/schedules.js'
import type { Schedules } from '../shared/db/schedules.js'
import { newScheduleId } from '../shared/ids.js'
import { nextRun } from '../shared/schedules/next-run.js'

/**
 * Makes the schedules of a pipeline those that it declares. One that was there stays paused or not,
 * and its next time stays as long as the expression does: setting a pipeline often must not put off
 * what it does. Part of the transaction that sets the pipeline.
 */
export function syncSchedules(
  schedules: Schedules,
  pipelineId: string,
  declared: DeclaredSchedules,
  now: number,
): void {
  const stored = new Map(schedules.listOf(pipelineId).map((schedule) => [schedule.name, schedule]))
  for (const [name, schedule] of Object.entries(declared)) {
    const before = stored.get(name)
    stored.delete(name)
    const isSame = before?.type === schedule.type && before.expr === schedule.expr
    const isPaused = before?.isEnabled === false
    const nextRunAt = isSame ? before.nextRunAt : isPaused ? null : nextRun(schedule, now)
    schedules.upsert({ ...schedule, pipelineId, name, nextRunAt }, newScheduleId(), now)
  }
  for (const { id } of stored.values()) schedules.remove(id)
}

export interface SetScheduleEnabled {
  id: string
  isEnabled: boolean
  now: number
}

/** One that goes on does so from now: what it missed while it was paused is not made up for. */
export function setScheduleEnabled(
  schedules: Schedules,
  { id, isEnabled, now }: SetScheduleEnabled,
): boolean {
  const schedule = schedules.find(id)
  if (!schedule) return false
  if (isEnabled) schedules.resume(id, nextRun(schedule, now), now)
  else schedules.pause(id, now)
  return true
}
