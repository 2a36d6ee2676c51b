import type { MessagePort } from 'node:worker_threads'
import { workerData } from 'piscina'
import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import { createLogger, type Logger } from '../../shared/logger.js'
import { openDatabase, type Db } from '../../shared/db/open.js'
import type { RunOutcome, Waiting } from '../../shared/db/runs.js'
import { createSecrets } from '../../shared/db/secrets.js'
import { createWriterClient } from '../../shared/db/writer/writer-client.js'
import { createRedactor } from '../../shared/redact/redactor.js'
import { createDriverSettings } from '../../shared/secrets/driver-config.js'
import { createSecretReader } from '../../shared/secrets/secret-reader.js'
import type { Driver } from '../drivers/driver.js'
import { createLauncherClient } from '../drivers/native/launcher/launcher-client.js'
import type { StartProcess } from '../drivers/native/start-process.js'
import { openDriver } from '../drivers/open-driver.js'
import type { LogWrites } from '../log-writes.js'
import { createEffects } from '../sandbox/effects.js'
import { createAsyncFunctions } from '../sandbox/host-functions/async-functions.js'
import { CONSOLE_STEP, createConsoleFunction } from '../sandbox/host-functions/console.js'
import { createStorageFunctions } from '../sandbox/host-functions/storage.js'
import { openPipelineVm } from '../sandbox/open-pipeline-vm.js'
import { createPureFunctions } from '../sandbox/pure-functions.js'
import { openLogBatcher } from '../steps/log-batcher.js'
import type { RunContext, StopReason } from '../steps/run-context.js'
import { openSpool, type Spool } from '../../shared/uploads/spool.js'
import { seedWorkdir } from '../workdir/seed-workdir.js'
import type { ExecutorWrites } from '../writes.js'
import { createRunControl } from './run-control.js'
import { isLeaseLost, runPipeline } from './run-pipeline.js'
import type { ThreadCommand, ThreadData, ThreadResult, ThreadTask } from './thread-messages.js'

/** The error text of a run that somebody stopped; on the wire. */
export const STOPPED_MESSAGE = 'Run stopped by user'

/**
 * The task of a pool thread: one run, from its sandbox to its row. Whatever goes wrong ends up in
 * the row; it throws only for bugs. Errors lose their fields on the way to the main thread.
 */
export default async function runThread(task: ThreadTask): Promise<ThreadResult> {
  const { claimed, config } = task
  const { run } = claimed
  const claim = { runId: run.id, attempt: run.attempt }
  const logger = createLogger(config.log, 'executor').child(claim)
  using stateWriter = createWriterClient<ExecutorWrites>(task.stateWriter)
  using logWriter = createWriterClient<LogWrites>(task.logWriter)
  using launcher = createLauncherClient(task.launcher)
  const stopping = new AbortController()
  using _commands = listen(task.commands, task.control, stopping)

  const spool = openSpool(config.storage.path)
  const finish = async (outcome: RunOutcome): Promise<ThreadResult> => {
    const reason = stopping.signal.reason as StopReason | undefined
    const stop = reason === 'stop' ? STOPPED : reason === 'shutdown' ? SHUT_DOWN : undefined
    const status = stop ? 'aborted' : outcome.status === 'failed' ? 'error' : 'success'
    const isOurs = await stateWriter.write('finish', {
      claim,
      outcome: stop ?? outcome,
      openTasks: { status, errorMessage: '' },
      now: Date.now(),
    })
    if (isOurs && claimed.upload !== undefined) await removeUpload(spool, claimed.upload, logger)
    return { type: isOurs ? 'finished' : 'detached' }
  }

  let driver: Driver | undefined
  try {
    driver = await openRunDriver(task, logger, launcher.startProcess)
    if (!claimed.isFresh) return await endInterrupted(driver, finish, logger)
    await prepareWorkdir({ task, driver, spool, signal: stopping.signal })
    const outcome = await execute({ task, driver, stateWriter, logWriter, stopping, logger })
    if (stopping.signal.reason === 'detach') return { type: 'detached' }
    const result = await finish(outcome)
    // what the run made stays until its end is on record
    if (result.type === 'finished') await removeAll(driver, logger)
    return result
  } catch (error) {
    if (isLeaseLost(error) || stopping.signal.reason === 'detach') return { type: 'detached' }
    if (hasCode(error, 'driver_unavailable') && claimed.isFresh) {
      const waiting = waitingFor(error, run.attempt)
      logger.warn({ reason: waiting.reason }, 'run waits for its driver')
      if (await stateWriter.write('release', { claim, waiting })) return { type: 'released' }
    }
    if (!stopping.signal.aborted) logger.error({ err: error }, 'run failed')
    const result = await finish(failureOf(error))
    if (driver && result.type === 'finished') await removeAll(driver, logger)
    return result
  } finally {
    await driver?.[Symbol.asyncDispose]()
  }
}

/** Tried again soon at first, so that a restarted engine is noticed, then less and less often. */
function waitingFor(error: AppError, attempt: number): Waiting {
  const delayMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 10))
  return { reason: `driver unavailable: ${error.message}`, availableAt: Date.now() + delayMs }
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/**
 * An executor died while it ran this, after something had been started. Nothing may run twice, and
 * continuing from the journal is not there yet: the run fails and what it left is removed.
 */
async function endInterrupted(
  driver: Driver,
  finish: (outcome: RunOutcome) => Promise<ThreadResult>,
  logger: Logger,
): Promise<ThreadResult> {
  await removeAll(driver, logger)
  return finish(INTERRUPTED)
}

const INTERRUPTED: RunOutcome = {
  status: 'failed',
  errorCode: 'executor_lost',
  errorMessage:
    'Server restarted during execution: the executor of this run died after steps had been started, and nothing runs twice. Trigger it again',
}

interface Preparation {
  task: ThreadTask
  driver: Driver
  spool: Spool
  signal: AbortSignal
}

/**
 * Before the pipeline starts, and no part of its journal: while that is empty nothing has seen the
 * volume, so an executor that takes the run over throws away what another began, and begins anew.
 */
async function prepareWorkdir({ task, driver, spool, signal }: Preparation): Promise<void> {
  const { upload: name, run } = task.claimed
  if (name === undefined) return
  if (run.attempt > 1) await driver.removeAll()
  const maxBytes = task.config.limits.workdirBytes
  await seedWorkdir({ driver, spool, name, maxBytes, signal })
}

/** A sandbox that has grown to this is given back at once. */
const LARGE_VM_BYTES = 8 * 1_048_576

const STOPPED: RunOutcome = {
  status: 'failed',
  errorCode: 'stopped',
  errorMessage: STOPPED_MESSAGE,
}

const SHUT_DOWN: RunOutcome = {
  status: 'failed',
  errorCode: 'shutdown',
  errorMessage: 'Server stopped during execution: the run did not end within --drain-timeout',
}

interface Execution {
  task: ThreadTask
  driver: Driver
  stateWriter: ReturnType<typeof createWriterClient<ExecutorWrites>>
  logWriter: ReturnType<typeof createWriterClient<LogWrites>>
  stopping: AbortController
  logger: Logger
}

async function execute({
  task,
  driver,
  stateWriter,
  logWriter,
  stopping,
  logger,
}: Execution): Promise<RunOutcome> {
  const { claimed, config } = task
  const { run, pipeline } = claimed
  const claim = { runId: run.id, attempt: run.attempt }
  const now = (): number => Date.now()
  const control = createRunControl(task.control)
  const redactor = createRedactor()
  using reader = openLazily(() =>
    openDatabase(config.storage.path, { mode: 'read', attach: config.secrets.path }),
  )

  const effects = createEffects({
    claim,
    writer: stateWriter,
    now,
    onFailure: (error) => end(stopping, isLeaseLost(error) ? 'detach' : 'failed', control),
  })
  const context: RunContext = {
    claim,
    pipelineId: pipeline.id,
    driver,
    effects,
    logWriter,
    secrets: createSecretReader({
      secrets: () => createSecrets(reader.get()),
      masterKey: Buffer.from(task.masterKey),
      pipelineId: pipeline.id,
    }),
    redactor,
    logger,
    logBytes: config.limits.logBytes,
    messageBytes: config.sandbox.messageBytes,
    signal: stopping.signal,
    now,
  }
  const consoleLog = openLogBatcher({ writer: logWriter, runId: run.id, step: CONSOLE_STEP, now })
  let assertion: string | undefined
  let isLarge = false
  const syncFunctions = new Map<string, (args: readonly unknown[]) => unknown>([
    ...Object.entries(createPureFunctions()),
    ...Object.entries(
      createStorageFunctions({
        claim,
        pipelineId: pipeline.id,
        reader: reader.get,
        writer: stateWriter,
        effects,
        now,
      }),
    ),
    [
      'console',
      createConsoleFunction({
        redactor,
        log: consoleLog,
        limitBytes: config.limits.logBytes,
        onFailure: () => end(stopping, 'failed', control),
      }),
    ],
    ['assert.failed', ([message]) => void (assertion ??= redactor.redact(String(message)))],
  ])

  const outcome = await runPipeline({
    effects,
    control,
    syncFunctions,
    asyncFunctions: createAsyncFunctions(context),
    openVm: (host) =>
      openPipelineVm({
        engine: (workerData as ThreadData).engine,
        program: pipeline.program,
        context: {
          runID: run.id,
          pipelineID: pipeline.id,
          triggeredBy: run.triggerType === 'webhook' ? 'webhook' : 'manual',
          args: run.triggerInput.args ?? [],
          targetJobs: run.triggerInput.jobs ?? [],
          driverName: driver.name,
        },
        host,
        limits: config.sandbox,
        seed: seedOf(run.id),
      }),
    startedAt: run.startedAt ?? now(),
    onCrash: () => end(stopping, 'failed', control),
    failedAssertion: () => assertion,
    onMemory: (bytes) => void (isLarge = bytes > LARGE_VM_BYTES),
  })
  // the engine sees a small object, not the memory behind it, and would let many of them pile up
  if (isLarge) globalThis.gc?.()
  await consoleLog.end()
  return redactOutcome(outcome, redactor.redact)
}

/** The first reason counts. */
function end(stopping: AbortController, reason: StopReason, control: { abort(): void }): void {
  control.abort()
  if (!stopping.signal.aborted) stopping.abort(reason)
}

function listen(
  commands: MessagePort,
  buffer: SharedArrayBuffer,
  stopping: AbortController,
): Disposable {
  const control = createRunControl(buffer)
  commands.on('message', ({ type }: ThreadCommand) => end(stopping, type, control))
  return { [Symbol.dispose]: () => commands.close() }
}

/** Most runs read nothing: the connection is opened by the first that does. */
function openLazily(open: () => Db): Disposable & { get(): Db } {
  let db: Db | undefined
  return { get: () => (db ??= open()), [Symbol.dispose]: () => void db?.close() }
}

/** Allowed at the time of the run as well: the list may have shrunk since the pipeline was set. */
async function openRunDriver(
  { claimed, config, masterKey }: ThreadTask,
  logger: Logger,
  startProcess: StartProcess,
): Promise<Driver> {
  using reader = openLazily(() =>
    openDatabase(config.storage.path, { mode: 'read', attach: config.secrets.path }),
  )
  const findSettings = createDriverSettings({
    secrets: () => createSecrets(reader.get()),
    masterKey: Buffer.from(masterKey),
    pipelineId: claimed.pipeline.id,
  })
  const namespace = `ci-${claimed.run.id}`
  return await openDriver(claimed.pipeline.driver, {
    namespace,
    config,
    logger,
    findSettings,
    startProcess,
  })
}

async function removeAll(driver: Driver, logger: Logger): Promise<void> {
  try {
    await driver.removeAll()
  } catch (error) {
    logger.warn({ err: error }, 'removing what a run left failed; the next start tries again')
  }
}

/** Its row is gone with the run's end: what stays behind here is swept up later. */
async function removeUpload(spool: Spool, name: string, logger: Logger): Promise<void> {
  try {
    await spool.remove(name)
  } catch (error) {
    logger.warn({ err: error }, 'removing an upload failed; it is tried again later')
  }
}

function failureOf(error: unknown): RunOutcome {
  const reason = errorMessage(error)
  return {
    status: 'failed',
    errorCode: error instanceof AppError ? error.code : 'executor_error',
    errorMessage: `could not execute pipeline: ${reason}`,
  }
}

function redactOutcome(outcome: RunOutcome, redact: (text: string) => string): RunOutcome {
  if (outcome.status !== 'failed') return outcome
  return { ...outcome, errorMessage: redact(outcome.errorMessage) }
}

/** The same numbers at each attempt of a run. */
function seedOf(runId: string): number {
  let seed = 0
  for (const byte of Buffer.from(runId)) seed = (Math.imul(seed, 31) + byte) | 0
  return seed >>> 0
}
