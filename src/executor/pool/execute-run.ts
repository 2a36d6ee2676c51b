import { faultPoint } from '../../shared/faults.js'
import { watchDatabases, type ChangeSignal } from '../../shared/db/change-signal.js'
import { createGates } from '../../shared/db/gates.js'
import { createJournal } from '../../shared/db/journal.js'
import { openLazily } from '../../shared/db/open-lazily.js'
import { logsPathOf, openDatabase, type Db } from '../../shared/db/open.js'
import { createReusableResults } from '../../shared/db/reusable-results.js'
import { createRunSecrets } from '../../shared/db/run-secrets.js'
import { createRuns, type Claim } from '../../shared/db/runs.js'
import { createSecrets } from '../../shared/db/secrets.js'
import { createTasks } from '../../shared/db/tasks.js'
import { createWebhookDeliveries } from '../../shared/db/webhook-deliveries.js'
import { createTriggeredRuns } from '../../shared/db/triggered-runs.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Logger } from '../../shared/logger.js'
import { createRedactor } from '../../shared/redact/redactor.js'
import { createSecretReader } from '../../shared/secrets/secret-reader.js'
import { isWithin } from '../../shared/wait.js'
import type { Driver } from '../drivers/driver.js'
import type { LogWrites } from '../log-writes.js'
import { createEffects, leaseLost, type Effects } from '../sandbox/effects.js'
import { createAsyncFunctions } from '../sandbox/host-functions/async-functions.js'
import { CONSOLE_STEP, createConsoleFunction } from '../sandbox/host-functions/console.js'
import { createStorageFunctions } from '../sandbox/host-functions/storage.js'
import { createWebhookFunctions } from '../sandbox/host-functions/webhooks.js'
import { openPipelineVm } from '../sandbox/open-pipeline-vm.js'
import type { Engine } from '../sandbox/load-engine.js'
import { createPureFunctions } from '../sandbox/pure-functions.js'
import { openRecordedJournal } from '../sandbox/recorded-journal.js'
import { openLogBatcher } from '../steps/log-batcher.js'
import {
  detachedError,
  isDetached,
  type RunContext,
  type RunGates,
  type RunTriggers,
  type StopReason,
} from '../steps/run-context.js'
import {
  createOutputDecoders,
  createRecordedOutput,
  findStoredOutput,
} from '../steps/stored-output.js'
import { createUsedSecrets } from '../steps/used-secrets.js'
import { withholdSecrets } from '../steps/withhold-secrets.js'
import type { ExecutorWrites } from '../writes.js'
import type { Lease } from './lease.js'
import type { RunControl } from './run-control.js'
import { isLeaseLost, runPipeline, type RunExit } from './run-pipeline.js'
import type { ThreadTask } from './thread-messages.js'

/** A sandbox that has grown to this is given back at once. */
const LARGE_VM_BYTES = 8 * 1_048_576

/** How long a run that goes to another executor waits for starts that are under way. */
const SETTLE_MS = 5_000

export interface Execution {
  task: Pick<ThreadTask, 'claimed' | 'config' | 'masterKey' | 'runsAlone'>
  engine: Engine
  driver: Driver
  stateWriter: WriterClient<ExecutorWrites>
  logWriter: WriterClient<LogWrites>
  lease: Lease
  logger: Logger
  control: RunControl
  /** Aborts with a StopReason. */
  signal: AbortSignal
  /** Aborts it. */
  end(reason: StopReason): void
}

/**
 * Executes a run from its start, or from where its journal ends. Throws `lease_lost` when it is, or
 * goes to, another executor's; `journal_mismatch` and `journal_damaged` when it cannot be continued.
 */
export async function executeRun(execution: Execution): Promise<RunExit> {
  const { task, driver, stateWriter, logWriter, signal, end } = execution
  const { claimed, config } = task
  const { run, pipeline } = claimed
  const claim = { runId: run.id, attempt: run.attempt }
  const now = (): number => Date.now()
  using main = openLazily(() =>
    openDatabase(config.storage.path, { mode: 'read', attach: config.secrets.path }),
  )
  using changes = watchLazily(() => main.get())
  using logs = openLazily(() => openDatabase(logsPathOf(config.storage.path), { mode: 'read' }))
  // whoever had the run before appends nothing from here on
  if (run.attempt > 1) await logWriter.write('own', claim, { isDurable: false })

  const redactor = createRedactor()
  const decoders = createOutputDecoders()
  const effects = createEffects({
    ...{ claim, writer: stateWriter, now },
    recorded: claimed.isFresh ? undefined : openRecordedJournal(createJournal(main.get()), run.id),
    readOutput: createRecordedOutput(logs.get, run.id, decoders),
    ...{ changes: changes.get, signal },
    onReplayed: () => faultPoint('run.replay.over'),
    onFailure: (error) => end(isLeaseLost(error) ? 'detach' : 'failed'),
  })
  const context: RunContext = {
    ...{ claim, driver, effects, logWriter, redactor, decoders, signal, now },
    pipelineId: pipeline.id,
    stepBase: run.stepBase,
    secrets: createUsedSecrets({
      runId: run.id,
      masterKey: Buffer.from(task.masterKey),
      reader: withholdSecrets(
        createSecretReader({
          secrets: () => createSecrets(main.get()),
          masterKey: Buffer.from(task.masterKey),
          pipelineId: pipeline.id,
        }),
        {
          run,
          findBody: (id) => createWebhookDeliveries(main.get()).findBody(id),
          isApproved: () => createGates(main.get()).hasApproved(run.id),
        },
      ),
      redactor,
      earlier: claimed.isFresh ? [] : createRunSecrets(main.get()).list(run.id),
      record: (secrets) => effects.record(secrets.map((one) => ({ type: 'secret', ...one }))),
    }),
    logger: execution.logger,
    features: config.features,
    runsAlone: task.runsAlone,
    maxQueueSize: config.queue.maxQueueSize,
    triggers: openRunTriggers(run.id, main.get),
    gates: openRunGates({ claim, reader: main.get, writer: stateWriter, now }),
    logBytes: config.limits.logBytes,
    messageBytes: config.sandbox.messageBytes,
    checkLease: () => execution.lease.check(),
    starting: new Set(),
    findTask: (step) => createTasks(main.get()).findStep(run.id, step),
    findStoredOutput: (step) => findStoredOutput(logs.get(), run.id, step),
    findReusable: (argsHash, occurrence) =>
      run.generation === 1
        ? undefined
        : createReusableResults(main.get()).find(run.id, argsHash, occurrence),
  }
  using _detaching = failWhenDetached(signal, effects)
  try {
    return await runProgram(execution, context, main.get)
  } finally {
    if (isDetached(signal)) await isWithin(Promise.allSettled(context.starting), SETTLE_MS)
  }
}

/** Few runs wait for other processes: the watch is opened by the first that does. */
function watchLazily(reader: () => Db): Disposable & { get(): ChangeSignal } {
  let changes: ChangeSignal | undefined
  return {
    get: () => (changes ??= watchDatabases([reader()])),
    [Symbol.dispose]: () => changes?.[Symbol.dispose](),
  }
}

function openRunGates({
  claim,
  reader,
  writer,
  now,
}: {
  claim: Claim
  reader: () => Db
  writer: WriterClient<ExecutorWrites>
  now: () => number
}): RunGates {
  return {
    get(number) {
      const gate = createGates(reader()).findNumber(claim.runId, number)
      if (!gate) throw new Error(`gate ${number} of run ${claim.runId} is not there`)
      return gate
    },
    async expire() {
      if (!(await writer.write('expireGates', { claim, now: now() }))) throw leaseLost(claim)
    },
  }
}

function openRunTriggers(runId: string, reader: () => Db): RunTriggers {
  return {
    get(number) {
      const answer = createTriggeredRuns(reader()).find(runId, number)
      if (!answer) throw new Error(`the answer to call ${number} of run ${runId} is not there`)
      return answer
    },
    findRun: (id) => createRuns(reader()).find(id),
  }
}

/** Nothing that a detached run is still told goes into its journal. */
function failWhenDetached(signal: AbortSignal, effects: Effects): Disposable {
  const onAbort = (): void => {
    if (isDetached(signal)) effects.fail(detachedError())
  }
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', onAbort) }
}

async function runProgram(
  { task, engine, driver, stateWriter, logWriter, control, end }: Execution,
  context: RunContext,
  reader: () => Db,
): Promise<RunExit> {
  const { claimed, config } = task
  const { run, pipeline } = claimed
  const { claim, effects, redactor, now } = context
  const stored = run.attempt > 1 ? context.findStoredOutput(CONSOLE_STEP) : undefined
  const consoleLog = openLogBatcher({
    ...{ writer: logWriter, claim, step: CONSOLE_STEP, now },
    lastSeq: stored?.lastSeq ?? 0,
  })
  let assertion: string | undefined
  let isLarge = false
  const print = createConsoleFunction({
    ...{ redactor, log: consoleLog, stored },
    generation: run.generation,
    limitBytes: config.limits.logBytes,
    onFailure: (error) => effects.fail(error),
  })
  const syncFunctions = new Map<string, (args: readonly unknown[]) => unknown>([
    ...Object.entries(createPureFunctions()),
    ...Object.entries(
      createStorageFunctions({
        ...{ claim, pipelineId: pipeline.id, reader, writer: stateWriter, effects, now },
      }),
    ),
    ...Object.entries(
      createWebhookFunctions({
        ...{ claim, run, features: config.features, writer: stateWriter, effects, now },
        findBody: (id) => createWebhookDeliveries(reader()).findBody(id),
        dedupTtlMs: config.webhooks.dedupTtlMs,
        warn: (text) => void print(['warn', text]),
      }),
    ),
    ['console', print],
    ['assert.failed', ([message]) => void (assertion ??= redactor.redact(String(message)))],
  ])

  const outcome = await runPipeline({
    effects,
    control,
    syncFunctions,
    asyncFunctions: createAsyncFunctions(context),
    openVm: (host) =>
      openPipelineVm({
        engine: engine,
        program: pipeline.program,
        context: {
          runID: run.id,
          pipelineID: pipeline.id,
          triggeredBy: run.triggerType === 'webhook' ? 'webhook' : 'manual',
          args: run.triggerInput.args ?? [],
          inputs: run.triggerInput.inputs ?? {},
          targetJobs: run.triggerInput.jobs ?? [],
          driverName: driver.name,
        },
        host,
        limits: config.sandbox,
        seed: seedOf(run.id),
      }),
    startedAt: run.startedAt ?? now(),
    onCrash: () => end('failed'),
    failedAssertion: () => assertion,
    onMemory: (bytes) => void (isLarge = bytes > LARGE_VM_BYTES),
  })
  // the engine sees a small object, not the memory behind it, and would let many of them pile up
  if (isLarge) globalThis.gc?.()
  await consoleLog.end()
  return redactOutcome(outcome, redactor.redact)
}

function redactOutcome(outcome: RunExit, redact: (text: string) => string): RunExit {
  if (outcome.status !== 'failed') return outcome
  return { ...outcome, errorMessage: redact(outcome.errorMessage) }
}

/** The same numbers at each attempt of a run. */
function seedOf(runId: string): number {
  let seed = 0
  for (const byte of Buffer.from(runId)) seed = (Math.imul(seed, 31) + byte) | 0
  return seed >>> 0
}
