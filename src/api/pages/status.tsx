import type { RunStatus, TaskStatus } from '../../shared/contract/statuses.js'

interface Look {
  /** The class that sets the colour. */
  tone: string
  word: string
  icon: string
}

// outlines that differ without their colours
const CLOCK = 'M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8M8 4.6V8l2.3 1.6'
const ARC = 'M8 2a6 6 0 0 1 6 6'
const CHECK = 'm2.8 8.4 3.4 3.6 7-8'
const CROSS = 'm3.5 3.5 9 9m0-9-9 9'
const ARROWS = 'm2.5 4 4 4-4 4m5-8 4 4-4 4M14 4v8'
const STOP = 'M3.5 3.5h9v9h-9z'

/** How a status of a run or a task is shown: never by colour alone. */
export const LOOKS: Readonly<Record<RunStatus | TaskStatus, Look>> = {
  queued: { tone: 'queued', word: 'Queued', icon: CLOCK },
  pending: { tone: 'queued', word: 'Pending', icon: CLOCK },
  running: { tone: 'running', word: 'Running', icon: ARC },
  success: { tone: 'success', word: 'Success', icon: CHECK },
  failed: { tone: 'failed', word: 'Failed', icon: CROSS },
  failure: { tone: 'failed', word: 'Failure', icon: CROSS },
  error: { tone: 'failed', word: 'Error', icon: CROSS },
  abort: { tone: 'skipped', word: 'Timed out', icon: STOP },
  aborted: { tone: 'skipped', word: 'Aborted', icon: STOP },
  skipped: { tone: 'skipped', word: 'Skipped', icon: ARROWS },
}

interface StatusProps {
  status: RunStatus | TaskStatus
  id?: string
}

export function StatusPill({ status, id }: StatusProps) {
  const { tone, word, icon } = LOOKS[status]
  return (
    <span id={id} class={`pill is-${tone}`} data-status={status}>
      <svg class="i" viewBox="0 0 16 16" aria-hidden="true">
        <path d={icon} />
      </svg>
      <span class="word">{word}</span>
    </span>
  )
}
