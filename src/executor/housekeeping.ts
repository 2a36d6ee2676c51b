import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../shared/logger.js'
import type { Db } from '../shared/db/open.js'
import { createLogPurges } from '../shared/db/log-purges.js'
import type { WriterClient } from '../shared/db/writer/writer-client.js'
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
  logger: Logger
  signal: AbortSignal
}

/** Removes the output of deleted runs, a little at a time, until its signal aborts. */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { logger, signal } = options
  while (!signal.aborted) {
    try {
      await removePurged(options)
    } catch (error) {
      logger.warn({ err: error }, 'removing the output of deleted runs failed')
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

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort ends the pause early, nothing more
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
