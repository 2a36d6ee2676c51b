import type { Task } from '../../shared/db/tasks.js'
import { formatDuration, formatTime } from './time.js'

/** A task's payload but for its output, which is never whole in memory. */
export function toWirePayload(task: Task, stepBase: number) {
  const { status, code, startedAt, completedAt, errorMessage } = task
  return {
    status,
    ...(startedAt !== null && { started_at: formatTime(startedAt) }),
    ...(startedAt !== null &&
      completedAt !== null && { elapsed: formatDuration(completedAt - startedAt) }),
    ...(code !== null && { code }),
    ...(errorMessage && { error_message: errorMessage }),
    ...(isKept(task, stepBase) && { kept: true }),
    ...(task.seeded === 1 && { seeded: true }),
  }
}

/** It was not done again: what it came to in an earlier generation of its run stands. */
export function isKept({ effect, step }: Task, stepBase: number): boolean {
  return typeof effect === 'number' && step <= stepBase
}
