import { pino } from 'pino'
import { loadAssets } from '../../src/api/assets.js'
import { listen } from '../../src/api/listen.js'
import { createApi } from '../../src/api/server.js'
import type { AdmitWebhook } from '../../src/api/webhooks/delivery-writes.js'
import { createOperations, type AdmitRun, type ApiWrites } from '../../src/api/writes.js'
import { loadConfig } from '../../src/shared/config/load-config.js'
import { watchDatabases } from '../../src/shared/db/change-signal.js'
import { logsPathOf, openDatabase } from '../../src/shared/db/open.js'
import type { Run } from '../../src/shared/db/runs.js'
import { openWriter } from '../../src/shared/db/writer/open-writer.js'
import type { WriterClient } from '../../src/shared/db/writer/writer-client.js'
import { compilePipeline } from '../../src/shared/pipeline/compile.js'
import type { Keeping } from './api-process.js'

/** The process behind startApiProcess: argv is how it keeps runs and its database. */
const [keeping, path] = process.argv.slice(2) as [Keeping, string]

const writer = await openWriter<ApiWrites>({
  path,
  operations: new URL('../../src/api/writes.js', import.meta.url),
})
const db = openDatabase(path, { mode: 'write' })
const operations = createOperations(db)
const reader = openDatabase(path, { mode: 'read' })
const logsReader = openDatabase(logsPathOf(path), { mode: 'read' })
const config = loadConfig(
  {
    'storage-sqlite-path': [path],
    port: ['0'],
    driver: ['native'],
    'max-queue-size': ['1000000'],
  },
  {},
)

const write: WriterClient<ApiWrites>['write'] = async (operation, input) => {
  if (keeping === 'normal') return writer.client.write(operation, input, { isDurable: false })
  if (keeping === 'memory' && operation === 'admitRun')
    return accepted(input as AdmitRun) as ReturnType<ApiWrites[typeof operation]>
  if (keeping === 'memory' && operation === 'admitWebhook')
    return accepted(input as AdmitWebhook) as ReturnType<ApiWrites[typeof operation]>
  const work = operations[operation] as (input: unknown, group: Map<string, number>) => unknown
  return db.transaction(() => work(input, new Map())).immediate() as ReturnType<
    ApiWrites[typeof operation]
  >
}

const { app } = createApi({
  config,
  reader,
  logsReader,
  writer: { ...writer.client, write },
  changes: watchDatabases([reader, logsReader]),
  secretKey: Buffer.alloc(32),
  logger: pino({ level: 'warn' }),
  now: Date.now,
  compile: compilePipeline,
  assets: loadAssets(new URL('./static/', import.meta.url)),
  stopping: new AbortController().signal,
  closing: new AbortController().signal,
})
const { url } = await listen(app, config)
process.send?.(url)

function accepted({ run, now }: Pick<AdmitRun, 'run' | 'now'>) {
  const stored: Run = {
    ...run,
    status: 'queued',
    attempt: 0,
    generation: 1,
    restartedAt: null,
    restartedBy: '',
    stepBase: 0,
    hasUpload: false,
    executorId: null,
    deaths: 0,
    programVersion: 0,
    driver: '',
    priority: 'normal',
    labels: [],
    concurrencyGroup: '',
    errorCode: '',
    errorMessage: '',
    stopRequestedAt: null,
    stopRequestedBy: '',
    waitReason: '',
    availableAt: null,
    isSuspended: false,
    deadlineAt: null,
    createdAt: now,
    startedAt: null,
    completedAt: null,
  }
  return { outcome: 'accepted' as const, run: stored }
}
