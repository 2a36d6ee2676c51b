export const RUN_STATUSES = ['queued', 'running', 'success', 'failed', 'skipped'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

/** True when a run has ended and its row no longer changes. */
export function isTerminal(status: RunStatus): boolean {
  return status === 'success' || status === 'failed' || status === 'skipped'
}

/** `abort`: the step was stopped by its time-out; `aborted`: its run was stopped. */
export const TASK_STATUSES = [
  'pending',
  'running',
  'success',
  'failure',
  'error',
  'abort',
  'aborted',
  'skipped',
] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

export type OutputStream = 'stdout' | 'stderr'
