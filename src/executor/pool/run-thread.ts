import type { MessagePort } from 'node:worker_threads'
import { workerData } from 'piscina'
import { AppError, errorMessage, hasCode } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import { createLogger, type Logger } from '../../shared/logger.js'
import { MAX_DEATHS } from '../../shared/db/claim-runs.js'
import type { RunOutcome, Waiting } from '../../shared/db/runs.js'
import { openLazily } from '../../shared/db/open-lazily.js'
import { openDatabase } from '../../shared/db/open.js'
import { createSecrets } from '../../shared/db/secrets.js'
import { createWriterClient, type WriterClient } from '../../shared/db/writer/writer-client.js'
import { createDriverSettings } from '../../shared/secrets/driver-config.js'
import { openSpool, type Spool } from '../../shared/uploads/spool.js'
import type { Driver } from '../drivers/driver.js'
import { createLauncherClient } from '../drivers/native/launcher/launcher-client.js'
import type { StartProcess } from '../drivers/native/start-process.js'
import { openDriver } from '../drivers/open-driver.js'
import type { LogWrites } from '../log-writes.js'
import type { StopReason } from '../steps/run-context.js'
import { seedWorkdir } from '../workdir/seed-workdir.js'
import type { ExecutorWrites } from '../writes.js'
import { checkVolumes } from './check-volumes.js'
import { executeRun } from './execute-run.js'
import { openLease, type Lease } from './lease.js'
import { createRunControl, type RunControl } from './run-control.js'
import { isLeaseLost } from './run-pipeline.js'
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
  const control = createRunControl(task.control)
  control.identify()
  const stopping = new AbortController()
  using _commands = listen(task.commands, control, stopping)
  using lease = openLease({ claim, control, path: config.storage.path, signal: stopping.signal })
  const ending: Ending = {
    ...{ task, stateWriter, stopping, lease, logger },
    spool: openSpool(config.storage.path),
  }
  // somebody wanted it stopped while its executor died
  if (run.stopRequestedAt !== null) end(stopping, 'stop', control)

  // set when it can be counted on: until then the run goes back to the queue for want of it
  let driver: Driver | undefined
  await using disposer = new AsyncDisposableStack()
  try {
    const opened = await openRunDriver(task, logger, launcher.startProcess)
    disposer.use(opened)
    await checkVolumes({ claimed, driver: opened, lease, stateWriter, logger })
    driver = opened
    if (run.deaths >= MAX_DEATHS) return await endRun(ending, driver, EXHAUSTED)
    if (stopping.signal.aborted) return await endRun(ending, driver, STOPPED)
    if (claimed.isFresh) await prepareWorkdir(ending, driver)
    const outcome = await executeRun({
      ...{ task, driver, stateWriter, logWriter, lease, logger, control },
      engine: (workerData as ThreadData).engine,
      signal: stopping.signal,
      end: (reason) => end(stopping, reason, control),
    })
    if (outcome.status !== 'waiting') return await endRun(ending, driver, outcome)
    const result = await stateWriter.write('suspend', {
      claim,
      waits: outcome.waits,
      now: Date.now(),
    })
    faultPoint('run.suspended')
    if (result === 'suspended') return { type: 'released' }
    if (result === 'lost') return { type: 'detached' }
    end(stopping, 'stop', control)
    return await endRun(ending, driver, STOPPED)
  } catch (error) {
    if (isLeaseLost(error) || reasonOf(stopping) === 'detach') return { type: 'detached' }
    if (hasCode(error, 'driver_unavailable') && !driver && !stopping.signal.aborted) {
      const waiting = waitingFor(error, run.attempt)
      logger.warn({ reason: waiting.reason }, 'run waits for its driver')
      if (await stateWriter.write('release', { claim, waiting, now: Date.now() }))
        return { type: 'released' }
    }
    if (!stopping.signal.aborted) logger.error({ err: error }, 'run failed')
    return await endRun(ending, driver, failureOf(error))
  }
}

/** Tried again soon at first, so that a restarted engine is noticed, then less and less often. */
function waitingFor(error: AppError, attempt: number): Waiting {
  const delayMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 10))
  return { reason: `driver unavailable: ${error.message}`, availableAt: Date.now() + delayMs }
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/** What ends a run. */
interface Ending {
  task: ThreadTask
  stateWriter: WriterClient<ExecutorWrites>
  spool: Spool
  stopping: AbortController
  lease: Lease
  logger: Logger
}

/**
 * Writes the end of a run and removes what it made. The row comes first, for a run that is taken over
 * in between would miss its containers; but of a run that was stopped nothing may be left running.
 */
async function endRun(
  ending: Ending,
  driver: Driver | undefined,
  outcome: RunOutcome,
): Promise<ThreadResult> {
  const { task, stateWriter, spool, stopping, lease, logger } = ending
  const { run, upload } = task.claimed
  const reason = reasonOf(stopping)
  if (reason === 'detach') return { type: 'detached' }
  const stop = reason === 'stop' ? STOPPED : reason === 'shutdown' ? SHUT_DOWN : undefined
  const claim = { runId: run.id, attempt: run.attempt }
  if (driver && (stop || outcome === EXHAUSTED)) {
    if (!lease.isHeld()) return { type: 'detached' }
    // what becomes of its volumes is decided with its end
    await removeAll(driver, { keepsVolumes: true }, logger)
    faultPoint('run.stop.heard')
  }
  const status = stop ? 'aborted' : outcome.status === 'failed' ? 'error' : 'success'
  const ended = await stateWriter.write('finish', {
    claim,
    outcome: stop ?? outcome,
    openTasks: { status, errorMessage: '' },
    keep: task.config.volumes,
    now: Date.now(),
  })
  faultPoint('run.finish.committed')
  if (ended === 'lost') return { type: 'detached' }
  if (upload !== undefined) await removeUpload(spool, upload, logger)
  const left =
    driver && (await removeAll(driver, { keepsVolumes: ended === 'ended_keeping' }, logger))
  faultPoint('run.removed')
  if (left)
    await stateWriter.write('cleaned', { runId: run.id, ...left, now: Date.now() }, VOLATILE)
  faultPoint('run.cleaned')
  return { type: 'finished' }
}

/**
 * Before the pipeline starts, and no part of its journal: while that is empty nothing has seen the
 * volume, so an executor that takes the run over throws away what another began, and begins anew.
 */
async function prepareWorkdir({ task, spool, stopping, lease }: Ending, driver: Driver) {
  const { upload: name, run } = task.claimed
  if (name === undefined) return
  if (run.attempt > 1) await driver.removeAll()
  const maxBytes = task.config.limits.workdirBytes
  const checkLease = (): void => lease.check()
  await seedWorkdir({ driver, spool, name, maxBytes, checkLease, signal: stopping.signal })
  faultPoint('run.workdir.seeded')
}

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

const EXHAUSTED: RunOutcome = {
  status: 'failed',
  errorCode: 'executor_lost',
  errorMessage: `the executor of this run died ${MAX_DEATHS} times in a row without any progress of the run in between, the last time with no other run beside it; the log of the server may say why`,
}

/** The first reason counts. */
function end(stopping: AbortController, reason: StopReason, control: RunControl): void {
  // a stop reaches a sandbox that spins before its message gets here
  const first = control.reason ?? reason
  control.abort()
  if (!stopping.signal.aborted) stopping.abort(first)
}

function reasonOf({ signal }: AbortController): StopReason | undefined {
  return signal.reason as StopReason | undefined
}

function listen(commands: MessagePort, control: RunControl, stopping: AbortController): Disposable {
  commands.on('message', ({ type }: ThreadCommand) => end(stopping, type, control))
  return { [Symbol.dispose]: () => commands.close() }
}

/** Allowed at the time of the run as well: the list may have shrunk since the pipeline was set. */
async function openRunDriver(
  { claimed, config, instance, masterKey }: ThreadTask,
  logger: Logger,
  startProcess: StartProcess,
): Promise<Driver> {
  const { id, driver } = claimed.run
  const { storage, secrets } = config
  using main = openLazily(() => openDatabase(storage.path, { mode: 'read', attach: secrets.path }))
  const findSettings = createDriverSettings({
    secrets: () => createSecrets(main.get()),
    masterKey: Buffer.from(masterKey),
    pipelineId: claimed.pipeline.id,
  })
  const namespace = `ci-${id}`
  return await openDriver(driver, {
    ...{ namespace, instance, config, logger, findSettings, startProcess },
  })
}

/** Answers the volumes that are left, if they are to be; undefined: not all could be removed. */
async function removeAll(
  driver: Driver,
  options: { keepsVolumes: boolean },
  logger: Logger,
): Promise<{ kept?: string[] } | undefined> {
  try {
    await driver.removeAll(options)
    return options.keepsVolumes ? { kept: await driver.listVolumes() } : {}
  } catch (error) {
    logger.warn({ err: error }, 'removing what a run left failed; it is tried again later')
    return undefined
  }
}

/** What a power cut takes back is done once more. */
const VOLATILE = { isDurable: false }

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
