import { createSchedules } from '../shared/db/schedules.js'
import { watchDatabases } from '../shared/db/change-signal.js'
import { logsPathOf, openDatabase } from '../shared/db/open.js'
import { openWriter } from '../shared/db/writer/open-writer.js'
import type { Config } from '../shared/config/config.js'
import type { Logger } from '../shared/logger.js'
import { compilePipeline, stopCompiler } from '../shared/pipeline/compile.js'
import { loadAssets } from './assets.js'
import { listen } from './listen.js'
import { startScheduler } from './scheduler.js'
import { createApi } from './server.js'
import { keepAdmitting } from './webhooks/keep-admitting.js'
import type { ApiWrites } from './writes.js'

export interface RunApiOptions {
  config: Config
  /** The key that secrets are encrypted under. */
  secretKey: Buffer
  logger: Logger
  /** Start no new runs; what is there is still answered. */
  stopping: AbortSignal
  /** End streams, finish requests within the drain time-out. */
  closing: AbortSignal
  /** Called when it serves. */
  onReady: (url: string) => void
}

/** Serves until it is told to close; resolves when it has let go of everything. Throws `port_in_use`. */
export async function runApi(options: RunApiOptions): Promise<void> {
  const { config, secretKey, logger, stopping, closing, onReady } = options
  const { path } = config.storage
  const attach = config.secrets.path
  using reader = closingDb(openDatabase(path, { mode: 'read', attach }))
  using logsReader = closingDb(openDatabase(logsPathOf(path), { mode: 'read' }))
  await using writer = await openWriter<ApiWrites>({
    path,
    attach,
    operations: new URL('./writes.js', import.meta.url),
  })
  using changes = watchDatabases([reader.db, logsReader.db])
  await using _compiler = { [Symbol.asyncDispose]: stopCompiler }

  const { app } = createApi({
    config,
    reader: reader.db,
    logsReader: logsReader.db,
    writer: writer.client,
    changes,
    secretKey,
    logger,
    now: Date.now,
    compile: compilePipeline,
    assets: loadAssets(new URL('./static/', import.meta.url)),
    stopping,
    closing,
  })
  const admitting = keepAdmitting({
    ...{ reader: reader.db, writer: writer.client, changes, logger, signal: stopping },
    maxQueueSize: config.queue.maxQueueSize,
  })
  await using server = await listen(app, config)
  await using _scheduler = config.features.includes('schedules')
    ? startScheduler({
        schedules: createSchedules(reader.db),
        writer: writer.client,
        changes,
        maxQueueSize: config.queue.maxQueueSize,
        logger,
        now: Date.now,
        signal: stopping,
      })
    : undefined
  onReady(server.url)
  await Promise.race([aborted(closing), writer.failed])
  await admitting
}

function closingDb<Handle extends { close(): unknown }>(db: Handle): Disposable & { db: Handle } {
  return { db, [Symbol.dispose]: () => void db.close() }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
