import type { Cron } from 'croner'
import { parseDuration } from '../config/duration.js'
import { AppError } from '../errors.js'
import { parseCron } from './parse-cron.js'

/** When a schedule is due. */
export interface ScheduleTime {
  type: 'cron' | 'interval'
  /** See parseCron; of an interval Go duration text. */
  expr: string
}

const MIN_INTERVAL_MS = 60_000

/** Throws `pipeline_invalid`. */
export function checkTime({ type, expr }: ScheduleTime): void {
  if (type === 'cron') parseCron(expr)
  else parseInterval(expr)
}

/**
 * The first time after `now`; what was missed before counts as one with the time that was due at
 * `dueAt`. Intervals keep their beat: they go on from it, and from `now` without it.
 */
export function nextRun({ type, expr }: ScheduleTime, now: number, dueAt = now): number {
  switch (type) {
    case 'cron':
      return nextTimeOf(parseCron(expr), now)
    case 'interval': {
      const interval = parseInterval(expr)
      const missed = Math.max(0, Math.floor((now - dueAt) / interval))
      return dueAt + (missed + 1) * interval
    }
  }
}

/** The library moves a time that the clocks skip in spring behind the gap; such a time does not come. */
function nextTimeOf(cron: Cron, now: number): number {
  let found = new Date(now)
  do {
    const next = cron.nextRun(found)
    if (!next) throw new Error(`${cron.getPattern()} never comes again`)
    found = next
  } while (!cron.match(found))
  return found.getTime()
}

function parseInterval(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < MIN_INTERVAL_MS)
    throw new AppError(
      'pipeline_invalid',
      `${JSON.stringify(text.slice(0, 100))}: expected a duration of at least 1m, such as "30m" or "1h30m"`,
    )
  return Math.round(ms)
}
