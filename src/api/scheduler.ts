import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeSignal } from '../shared/db/change-signal.js'
import type { DueSchedule, Schedules } from '../shared/db/schedules.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
import { faultPoint } from '../shared/faults.js'
import { newRunId } from '../shared/ids.js'
import type { Logger } from '../shared/logger.js'
import type { Firing } from './fire-schedule.js'
import type { ApiWrites } from './writes.js'

/** Longest time without a look: somebody may have set the clock. */
const LONGEST_NAP_MS = 60_000
/** Shortest time between two looks for another reason than that something is due. */
const BETWEEN_LOOKS_MS = 250
/** Pause after a full queue, or a database that could not be written to. */
const RETRY_MS = 5_000
/** Schedules that are fired together. */
const MAX_DUE = 100

export interface SchedulerOptions {
  /** Reads only. */
  schedules: Pick<Schedules, 'listDue' | 'findNextDue'>
  writer: WriterClient<ApiWrites>
  changes: ChangeSignal
  maxQueueSize: number
  logger: Logger
  now: () => number
  /** Start no more runs. */
  signal: AbortSignal
}

/**
 * Starts the runs of schedules when they are due. Disposing it waits for what is being written. Several
 * may work on one database: a time that is due is the first one's.
 */
export function startScheduler(options: SchedulerOptions): AsyncDisposable {
  const stopping = new AbortController()
  const signal = AbortSignal.any([options.signal, stopping.signal])
  const finished = keepFiring({ ...options, signal })
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await finished
    },
  }
}

async function keepFiring(options: SchedulerOptions): Promise<void> {
  const { changes, logger, signal } = options
  while (!signal.aborted) {
    const seen = changes.version
    try {
      if (await fireDue(options)) await nextEvent(options, seen)
      else await pause(RETRY_MS, signal)
    } catch (error) {
      logger.error({ err: error }, 'firing schedules failed')
      await pause(RETRY_MS, signal)
    }
  }
}

/** Fires what is due now. False: something still is, and there is no room for it. */
export async function fireDue(options: Omit<SchedulerOptions, 'changes'>): Promise<boolean> {
  const { schedules, now } = options
  const found = schedules.listDue(now(), MAX_DUE)
  const firings = await Promise.all(found.map((due) => fire(options, due)))
  return firings.every(({ outcome }) => outcome !== 'queue_full')
}

async function fire(
  { writer, maxQueueSize, logger, now }: Omit<SchedulerOptions, 'changes'>,
  due: DueSchedule,
): Promise<Firing> {
  faultPoint('api.schedule.due')
  const firing = await writer.write('fireSchedule', {
    ...{ due, runId: newRunId(), maxQueueSize, now: now() },
  })
  faultPoint('api.schedule.fired')
  logFiring(logger, firing, due)
  return firing
}

function logFiring(logger: Logger, firing: Firing, { dueAt }: DueSchedule): void {
  if (firing.outcome === 'outdated') return
  const { id: scheduleId, pipelineId, name } = firing.schedule
  const fields = { scheduleId, pipelineId, name, dueAt }
  switch (firing.outcome) {
    case 'fired':
      return logger.info({ ...fields, runId: firing.run.id }, 'schedule fired')
    case 'paused':
      return logger.info(fields, 'a schedule was due; its pipeline is paused')
    case 'queue_full':
      return logger.warn(fields, 'a schedule is due and the queue is full; it is tried again')
  }
}

/** A schedule is due, or something in the database has changed, which may be one. */
async function nextEvent(
  { schedules, changes, now, signal }: SchedulerOptions,
  seen: number,
): Promise<void> {
  const restMs = (): number => Math.max(0, (schedules.findNextDue() ?? Infinity) - now())
  const woken = new AbortController()
  const timer = setTimeout(() => woken.abort(), Math.min(restMs(), LONGEST_NAP_MS))
  await changes.changed(seen, AbortSignal.any([signal, woken.signal]))
  clearTimeout(timer)
  // a busy database changes all the time
  if (!woken.signal.aborted) await pause(Math.min(restMs(), BETWEEN_LOOKS_MS), signal)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort ends the pause early, nothing more
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
