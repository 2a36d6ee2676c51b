import { hostname } from 'node:os'
import { nanoid } from 'nanoid'
import type { Config } from '../shared/config/config.js'
import { watchDatabases } from '../shared/db/change-signal.js'
import type { Executor } from '../shared/db/executors.js'
import { createInstance } from '../shared/db/instance.js'
import { logsPathOf, openDatabase } from '../shared/db/open.js'
import type { RunCleanup } from '../shared/db/run-cleanups.js'
import { createSecrets } from '../shared/db/secrets.js'
import { openWriter } from '../shared/db/writer/open-writer.js'
import type { Logger } from '../shared/logger.js'
import { createDriverSettings } from '../shared/secrets/driver-config.js'
import { openSpool } from '../shared/uploads/spool.js'
import { startClaimLoop, type ClaimLoop } from './claim/claim-loop.js'
import { openDriver } from './drivers/open-driver.js'
import { openLauncher } from './drivers/native/launcher/open-launcher.js'
import { keepHouse } from './housekeeping.js'
import type { LogWrites } from './log-writes.js'
import { openPool } from './pool/open-pool.js'
import { createReaper } from './reaper.js'
import type { ExecutorWrites } from './writes.js'

/** How long writes wait for a locked database or a full disk: a run is not lost to either. */
const PATIENCE_MS = 600_000

export interface ExecutorOptions {
  config: Config
  /** Runs at once. */
  capacity: number
  masterKey: Buffer
  logger: Logger
  /** Stop claiming, let runs end within the drain time-out. */
  stopping: AbortSignal
  /** What a stop does to runs that have not ended in time: the next executor goes on, or nobody. */
  runsAtStop: 'hand_over' | 'kill'
  /** Called when it claims runs, with its id. */
  onReady(executorId: string): void
}

/** Claims and executes runs until it is told to stop; resolves when it has let go of everything. */
export async function runExecutor(options: ExecutorOptions): Promise<void> {
  const { config, capacity, masterKey, logger, stopping } = options
  const { path } = config.storage
  using reader = disposable(openDatabase(path, { mode: 'read', attach: config.secrets.path }))
  using logsReader = disposable(openDatabase(logsPathOf(path), { mode: 'read' }))
  await using writer = await openWriter<ExecutorWrites>({
    path,
    operations: new URL('./writes.js', import.meta.url),
    patienceMs: PATIENCE_MS,
  })
  await using logWriter = await openWriter<LogWrites>({
    path: logsPathOf(path),
    operations: new URL('./log-writes.js', import.meta.url),
    patienceMs: PATIENCE_MS,
  })
  using changes = watchDatabases([reader.db, logsReader.db])
  const instance = createInstance(reader.db).getId()
  using launcher = openLauncher()
  if (config.drivers.default === 'native') launcher.warm()
  await using pool = await openPool({
    config,
    instance,
    capacity,
    masterKey,
    // only without a server is nobody there to go on
    runsAlone: options.runsAtStop === 'kill',
    stateWriter: writer,
    logWriter,
    launcher,
  })

  const settingsOf = (pipelineId: string) =>
    createDriverSettings({ secrets: () => createSecrets(reader.db), masterKey, pipelineId })
  const cleanUp = async (
    { runId, driver: name, pipelineId }: RunCleanup,
    keepsVolumes: boolean,
  ): Promise<string[] | undefined> => {
    const findSettings = settingsOf(pipelineId)
    const namespace = `ci-${runId}`
    await using driver = await openDriver(name, {
      ...{ namespace, instance, config, logger, findSettings },
    })
    await driver.removeAll({ keepsVolumes })
    return keepsVolumes ? await driver.listVolumes() : undefined
  }
  const { leaseTtlMs, labels } = config.queue
  const executor: Executor = { id: nanoid(), pid: process.pid, host: hostname(), capacity, labels }
  await writer.client.write('register', { executor, now: Date.now(), leaseTtlMs })
  const loop = startClaimLoop({
    executor,
    leaseTtlMs,
    defaultDriver: config.drivers.default,
    reader: reader.db,
    writer: writer.client,
    changes,
    pool,
    logger,
    keep: config.volumes,
    cleanUp: ({ run: { id, driver, pipelineId } }, keepsVolumes) =>
      cleanUp({ runId: id, driver, pipelineId }, keepsVolumes),
    signal: stopping,
  })
  const house = keepHouse({
    reader: reader.db,
    writer: writer.client,
    logWriter: logWriter.client,
    spool: openSpool(path),
    webhooks: config.webhooks,
    cleanUp,
    // without a server behind it nothing can be left of an earlier one
    ...(options.runsAtStop === 'hand_over' && {
      reaper: createReaper({
        ...{ config, instance, settingsOf, logger },
        reader: reader.db,
        writer: writer.client,
      }),
    }),
    logger,
    signal: stopping,
  })
  options.onReady(executor.id)

  const drained = stopAfterGrace(loop, options)
  await Promise.race([loop.finished, writer.failed, logWriter.failed])
  clearTimeout(drained.timer)
  await house
  await writer.client.write('unregister', { executorId: executor.id })
}

/** Runs that have not ended when the drain time-out is over are left to the next executor, or killed. */
function stopAfterGrace(
  loop: ClaimLoop,
  { stopping, runsAtStop, config }: ExecutorOptions,
): { timer: NodeJS.Timeout | undefined } {
  const grace: { timer: NodeJS.Timeout | undefined } = { timer: undefined }
  const onStop = (): void => {
    const type = runsAtStop === 'kill' ? 'shutdown' : 'detach'
    grace.timer = setTimeout(() => loop.endAll(type), config.drainTimeoutMs)
  }
  if (stopping.aborted) onStop()
  else stopping.addEventListener('abort', onStop, { once: true })
  return grace
}

function disposable<Handle extends { close(): unknown }>(db: Handle): Disposable & { db: Handle } {
  return { db, [Symbol.dispose]: () => void db.close() }
}
