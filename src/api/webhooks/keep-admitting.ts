import { checkCapacity } from '../../shared/admission/check-admission.js'
import { createExecutors } from '../../shared/db/executors.js'
import type { ChangeSignal } from '../../shared/db/change-signal.js'
import type { Db } from '../../shared/db/open.js'
import { createRuns } from '../../shared/db/runs.js'
import { createWebhookDeliveries } from '../../shared/db/webhook-deliveries.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Logger } from '../../shared/logger.js'
import type { ApiWrites } from '../writes.js'

export interface KeepAdmitting {
  reader: Db
  writer: WriterClient<ApiWrites>
  changes: ChangeSignal
  maxQueueSize: number
  logger: Logger
  /** Aborts: start no new runs. */
  signal: AbortSignal
}

/** Starts the runs of webhooks that found the queue full, as soon as there is room, until its signal aborts. */
export async function keepAdmitting(options: KeepAdmitting): Promise<void> {
  const { reader, writer, changes, maxQueueSize, logger, signal } = options
  const deliveries = createWebhookDeliveries(reader)
  const tables = { runs: createRuns(reader), executors: createExecutors(reader) }
  const hasRoom = (now: number): boolean =>
    checkCapacity(tables, { maxQueueSize, now }).outcome === 'free'
  while (!signal.aborted) {
    const seen = changes.version
    try {
      const now = Date.now()
      if (deliveries.countDeferred(1) > 0 && hasRoom(now)) {
        const count = await writer.write('admitDeferred', { maxQueueSize, now })
        if (count > 0) continue
      }
    } catch (error) {
      logger.warn({ err: error }, 'starting the runs of webhooks that wait failed')
    }
    await changes.changed(seen, signal)
  }
}
