import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import type { Logger } from '../../shared/logger.js'
import type { ChangeSignal } from '../../shared/db/change-signal.js'
import type { Executor } from '../../shared/db/executors.js'
import type { KeepRule } from '../../shared/db/kept-volumes.js'
import type { Db } from '../../shared/db/open.js'
import { MAX_DEATHS } from '../../shared/db/claim-runs.js'
import { createRuns, type Claim, type Run, type RunOutcome } from '../../shared/db/runs.js'
import { createSuspensions } from '../../shared/db/suspensions.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Pool, RunEnd, RunningRun } from '../pool/open-pool.js'
import type { ThreadCommand } from '../pool/thread-messages.js'
import type { ClaimedRun, ExecutorWrites } from '../writes.js'

/** Pause after a claim that failed: the database was locked or full. */
const RETRY_MS = 500
/** Longest time without a look at the queue. */
const LONGEST_NAP_MS = 3_600_000

export interface ClaimLoopOptions {
  executor: Executor
  leaseTtlMs: number
  /** Of pipelines that name none. */
  defaultDriver: string
  /** Read-only, of the main database. */
  reader: Db
  writer: WriterClient<ExecutorWrites>
  changes: ChangeSignal
  pool: Pool
  logger: Logger
  /** What becomes of the volumes of runs that end. */
  keep: KeepRule
  /** Removes what a run left whose thread is gone; answers the volumes that stay, if they are to. */
  cleanUp(claimed: ClaimedRun, keepsVolumes: boolean): Promise<string[] | undefined>
  /** No more claims; what runs goes on. */
  signal: AbortSignal
}

/** Claims runs and executes them until its signal aborts. */
export interface ClaimLoop {
  /** Resolves when it has stopped claiming and every run has left its thread. */
  readonly finished: Promise<void>
  /** Ends every run that is under way. */
  endAll(type: ThreadCommand['type']): void
}

export function startClaimLoop(options: ClaimLoopOptions): ClaimLoop {
  const { executor, leaseTtlMs, defaultDriver, writer, changes, pool, logger, signal } = options
  const runs = createRuns(options.reader)
  const suspensions = createSuspensions(options.reader)
  const active = new Map<string, RunningRun>()
  /** Active ones whose claims are given up: renewing one would take that back. */
  const leaving = new Set<string>()
  const freed = { version: 0, wake: (): void => undefined }
  const idle = new AbortController()

  const claimFree = async (): Promise<void> => {
    const limit = executor.capacity - active.size
    if (limit <= 0 || isTakenAlone() || !hasClaimable()) return
    const now = Date.now()
    const isIdle = active.size === 0
    const { id: executorId, labels } = executor
    const input = { executorId, labels, limit, now, leaseTtlMs, defaultDriver, isIdle }
    // a claim that a power cut takes back has started nothing: the first intent is synced with it
    const batch = await writer.write('claim', input, { isDurable: false })
    faultPoint('run.claimed')
    for (const claimed of batch) execute(claimed, now + leaseTtlMs)
  }

  const hasClaimable = (): boolean =>
    runs.hasClaimable({ now: Date.now(), labels: executor.labels })

  /** It may bring down the executor: no other run is to go with it. */
  const isTakenAlone = (): boolean =>
    [...active.values()].some(({ claimed }) => claimed.run.deaths === MAX_DEATHS - 1)

  const execute = (claimed: ClaimedRun, leaseUntil: number): void => {
    const { run } = claimed
    logger.info(
      { runId: run.id, attempt: run.attempt, pipeline: claimed.pipeline.name },
      'run claimed',
    )
    const running = pool.start(claimed, leaseUntil)
    active.set(run.id, running)
    const deadline = startDeadline(run)
    void settle(running).finally(() => {
      clearTimeout(deadline)
      active.delete(run.id)
      leaving.delete(run.id)
      freed.version++
      freed.wake()
    })
  }

  /** The stop that it asks for is heard like any other. */
  const startDeadline = ({ id, attempt, deadlineAt }: Run): NodeJS.Timeout | undefined => {
    if (deadlineAt === null) return undefined
    const claim = { runId: id, attempt }
    const timeOut = (): void => {
      writer.write('timeOut', { claim, now: Date.now() }).catch((error: unknown) => {
        logger.warn({ err: error, runId: id }, 'could not time a run out')
      })
    }
    // a timer may fire a millisecond early
    return setTimeout(timeOut, Math.max(0, deadlineAt - Date.now()) + 1)
  }

  const settle = async (running: RunningRun): Promise<void> => {
    const { claimed } = running
    const end = await running.ended
    logger.info(
      { runId: claimed.run.id, attempt: claimed.run.attempt, end: end.type },
      'run left its thread',
    )
    try {
      await settleEnd(claimed, end)
    } catch (error) {
      logger.error({ err: error, runId: claimed.run.id }, 'could not let go of a run')
    }
  }

  const settleEnd = async (claimed: ClaimedRun, end: RunEnd): Promise<void> => {
    const claim = claimOf(claimed)
    switch (end.type) {
      case 'finished':
      case 'released':
        return
      case 'detached':
        leaving.add(claim.runId)
        // nothing happens when another executor has it already
        return writer.write('handOver', { claim })
      case 'thread_lost':
        // a thread that crashed is a death: the run goes on from its journal, a few times
        if (end.reason === 'crash') {
          leaving.add(claim.runId)
          logger.error({ ...claim, reason: end.message }, 'the thread of a run has died')
          return writer.write('expire', { claim, now: Date.now() })
        }
        await endLost(claimed, end)
    }
  }

  /** Its steps are ended before its row says so; what becomes of its volumes is decided with that. */
  const endLost = async (
    claimed: ClaimedRun,
    end: RunEnd & { type: 'thread_lost' },
  ): Promise<void> => {
    await options.cleanUp(claimed, true)
    const finish = { ...finishOf(claimed, end), keep: options.keep, now: Date.now() }
    const ended = await writer.write('finish', finish)
    if (ended === 'lost') return
    const kept = await options.cleanUp(claimed, ended === 'ended_keeping')
    const { id: runId } = claimed.run
    await writer.write('cleaned', { runId, kept, now: Date.now() }, { isDurable: false })
  }

  const stopRequested = (): void => {
    if (active.size === 0) return
    for (const { id, attempt } of runs.findStopRequests(executor.id)) {
      const running = active.get(id)
      if (running?.claimed.run.attempt === attempt) running.end('stop')
    }
  }

  const renew = async (): Promise<void> => {
    const claims = [...active.values()]
      .map(({ claimed }) => claimOf(claimed))
      .filter(({ runId }) => !leaving.has(runId))
    const now = Date.now()
    const lost = await writer.write(
      'renew',
      { executor, claims, now, leaseTtlMs },
      { isDurable: false },
    )
    const lostRuns = new Set(lost.map(({ runId }) => runId))
    for (const { runId } of claims)
      if (!lostRuns.has(runId)) active.get(runId)?.renewed(now + leaseTtlMs)
    for (const { runId, attempt } of lost) {
      const running = active.get(runId)
      // a run that ended in the meantime is not lost: its thread is about to say so
      if (running?.claimed.run.attempt === attempt) running.end('detach')
    }
  }
  const renewal = setInterval(() => {
    renew().catch((error: unknown) => logger.warn({ err: error }, 'renewing leases failed'))
  }, leaseTtlMs / 3)

  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      const seen = changes.version
      const seenFreed = freed.version
      try {
        stopRequested()
        await claimFree()
      } catch (error) {
        logger.warn({ err: error }, 'claiming runs failed')
        if (!hasCode(error, 'storage_busy')) await pause(RETRY_MS, signal)
        continue
      }
      if (freed.version === seenFreed) await nextEvent(seen)
    }
    await drain()
  }

  /** A change in the database, a slot that became free, or a run whose wait is over. */
  const nextEvent = async (seen: number): Promise<void> => {
    const woken = new AbortController()
    freed.wake = () => woken.abort()
    const now = Date.now()
    const delayMs = Math.min((suspensions.findNextDue(now) ?? Infinity) - now, LONGEST_NAP_MS)
    const due = setTimeout(freed.wake, delayMs)
    await changes.changed(seen, AbortSignal.any([signal, woken.signal]))
    clearTimeout(due)
    freed.wake = () => undefined
  }

  /** Stops are still heard while the last runs end. */
  const drain = async (): Promise<void> => {
    while (active.size > 0) {
      const seen = changes.version
      stopRequested()
      const woken = new AbortController()
      freed.wake = () => woken.abort()
      if (active.size > 0) await changes.changed(seen, AbortSignal.any([woken.signal, idle.signal]))
    }
    clearInterval(renewal)
  }

  return {
    finished: loop(),
    endAll(type) {
      for (const running of active.values()) running.end(type)
    },
  }
}

function claimOf({ run }: ClaimedRun): Claim {
  return { runId: run.id, attempt: run.attempt }
}

function finishOf(claimed: ClaimedRun, end: RunEnd & { type: 'thread_lost' }) {
  const outcome: RunOutcome = {
    status: 'failed',
    errorCode: 'sandbox_slice',
    errorMessage: `could not execute pipeline: ${end.message}`,
  }
  const openTasks = { status: 'aborted' as const, errorMessage: 'the run’s thread ended' }
  return { claim: claimOf(claimed), outcome, openTasks }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort ends the pause early, nothing more
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
