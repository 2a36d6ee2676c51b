import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../shared/logger.js'
import type { Db } from '../shared/db/open.js'
import { createKeptVolumes } from '../shared/db/kept-volumes.js'
import { createLogPurges } from '../shared/db/log-purges.js'
import { createRunCleanups, type RunCleanup } from '../shared/db/run-cleanups.js'
import { createUploads } from '../shared/db/uploads.js'
import { createWebhookDeliveries } from '../shared/db/webhook-deliveries.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
import type { Spool } from '../shared/uploads/spool.js'
import type { LogWrites } from './log-writes.js'
import type { Reaper } from './reaper.js'
import type { ExecutorWrites } from './writes.js'

/** How often an executor looks for what is to be removed, and its pause between two parts of it. */
const INTERVAL_MS = 10_000
const BREATH_MS = 20
/** Runs that are cleaned up after in one round, and when one is tried again. */
const CLEANUP_BATCH = 50
const CLEANUP_RETRY_MS = 60_000
/** Webhooks on record, of all pipelines. */
const MAX_DELIVERIES = 100_000

export interface HousekeepingOptions {
  /** Read-only, of the main database. */
  reader: Db
  writer: WriterClient<ExecutorWrites>
  logWriter: WriterClient<LogWrites>
  spool: Spool
  webhooks: { retentionMs: number; dedupTtlMs: number }
  /** Removes the containers of a run and its volumes; answers the volumes that stay, if they are to. */
  cleanUp(cleanup: RunCleanup, keepsVolumes: boolean): Promise<string[] | undefined>
  /** Looks for what no run owns; undefined where nothing can be left. */
  reaper?: Reaper
  logger: Logger
  signal: AbortSignal
}

/** Removes what ended runs, deleted runs and uploads have left, until its signal aborts. */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { logger, signal, reaper } = options
  const chores = {
    'the output of deleted runs': () => removePurged(options),
    'uploads that no run owns': () => sweepSpool(options),
    'old webhooks': () => pruneWebhooks(options),
    'what no run owns': async () => reaper?.reap(),
    'volumes that were kept for long enough': () => giveUpVolumes(options),
    'what ended runs have left': () => removeLeftovers(options),
  }
  while (!signal.aborted) {
    for (const [what, chore] of Object.entries(chores))
      await chore().catch((error: unknown) =>
        logger.warn({ err: error }, `removing ${what} failed`),
      )
    await pause(INTERVAL_MS, signal)
  }
}

/** Those that nobody has come back for in time. */
async function giveUpVolumes({ reader, writer, logger }: HousekeepingOptions): Promise<void> {
  const now = Date.now()
  if (createKeptVolumes(reader).listOverdue(now, 1).length === 0) return
  for (const runId of await writer.write('giveUpVolumes', { now, limit: CLEANUP_BATCH }))
    logger.info({ runId }, 'the volumes of a run are given up')
}

/** What the executor that ended a run did not come to remove, or could not. */
async function removeLeftovers(options: HousekeepingOptions): Promise<void> {
  const { reader, writer, cleanUp, logger, signal } = options
  for (const cleanup of createRunCleanups(reader).listDue(Date.now(), CLEANUP_BATCH)) {
    const { runId } = cleanup
    if (signal.aborted) return
    try {
      const kept = await cleanUp(cleanup, createKeptVolumes(reader).isKept(runId))
      await writer.write('cleaned', { runId, kept, now: Date.now() }, { isDurable: false })
      logger.info({ runId }, 'removed what an ended run had left')
    } catch (error) {
      logger.warn({ err: error, runId }, 'removing what an ended run has left failed')
      await writer.write('postponeCleanup', { runId, dueAt: Date.now() + CLEANUP_RETRY_MS })
    }
  }
}

async function removePurged(options: HousekeepingOptions): Promise<void> {
  const { reader, writer, logWriter, signal } = options
  const purges = createLogPurges(reader)
  for (;;) {
    const runId = purges.findNext()
    if (runId === undefined || signal.aborted) return
    const isEmpty = await logWriter.write('purge', { runId }, { isDurable: false })
    if (isEmpty) await writer.write('purged', { runId })
    else await pause(BREATH_MS, signal)
  }
}

async function sweepSpool({ reader, spool, logger }: HousekeepingOptions): Promise<void> {
  const uploads = createUploads(reader)
  for (const name of await spool.sweep((name) => uploads.isOwned(name)))
    logger.info({ upload: name }, 'removed an upload that no run owns')
}

/** What is too old, and whatever is beyond the number of deliveries that are kept. */
async function pruneWebhooks(options: HousekeepingOptions): Promise<void> {
  const { reader, writer, webhooks, signal } = options
  const deliveries = createWebhookDeliveries(reader)
  const now = Date.now()
  const tooMany = deliveries.findTimeOf(MAX_DELIVERIES) ?? 0
  const deliveriesBefore = Math.max(now - webhooks.retentionMs, tooMany)
  const dedupsBefore = now - webhooks.dedupTtlMs
  if (!deliveries.hasBefore(deliveriesBefore, dedupsBefore)) return
  const input = { deliveriesBefore, dedupsBefore }
  while (!signal.aborted && (await writer.write('pruneWebhooks', input, { isDurable: false })))
    await pause(BREATH_MS, signal)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort ends the pause early, nothing more
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
