import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../shared/logger.js'
import type { Db } from '../shared/db/open.js'
import { createLogPurges } from '../shared/db/log-purges.js'
import { createUploads } from '../shared/db/uploads.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
import type { Spool } from '../shared/uploads/spool.js'
import type { LogWrites } from './log-writes.js'
import type { ExecutorWrites } from './writes.js'

/** How often an idle executor looks for output to remove, and its pause between two parts of it. */
const INTERVAL_MS = 30_000
const BREATH_MS = 20

export interface HousekeepingOptions {
  /** Read-only, of the main database. */
  reader: Db
  writer: WriterClient<ExecutorWrites>
  logWriter: WriterClient<LogWrites>
  spool: Spool
  logger: Logger
  signal: AbortSignal
}

/** Removes the output of deleted runs and uploads that no run owns, until its signal aborts. */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { logger, signal } = options
  while (!signal.aborted) {
    try {
      await removePurged(options)
    } catch (error) {
      logger.warn({ err: error }, 'removing the output of deleted runs failed')
    }
    try {
      await sweepSpool(options)
    } catch (error) {
      logger.warn({ err: error }, 'removing uploads that no run owns failed')
    }
    await pause(INTERVAL_MS, signal)
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

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort ends the pause early, nothing more
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
