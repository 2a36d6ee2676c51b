import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { resolveInputs, type GivenInputs, type InputValue } from '../contract/inputs.js'
import { watchDatabases } from '../db/change-signal.js'
import { followRun } from '../db/follow-run.js'
import { createLogChunks } from '../db/log-chunks.js'
import { migrateStorage } from '../db/migrate.js'
import { logsPathOf, openDatabase, type Db } from '../db/open.js'
import { createPipelines } from '../db/pipelines.js'
import { createRuns, type Run } from '../db/runs.js'
import { createWaitReasons } from '../db/wait-reasons.js'
import { AppError } from '../errors.js'
import { newRunId } from '../ids.js'
import { bundlePipeline, stopCompiler } from '../pipeline/compile.js'
import type { CompiledPipeline } from '../pipeline/program.js'
import { deriveMasterKey } from '../secrets/master-key.js'
import { storeGlobalSecrets } from '../secrets/store-global.js'
import type { StopSignals } from '../signals.js'
import { TIER_ENTRIES } from '../supervisor/run-server.js'
import { startChild, type Child } from '../supervisor/start-child.js'
import { during } from './client.js'
import type { CliContext } from './command-spec.js'
import { pipelineNameOf } from './pipeline-file.js'
import { writeTo } from './write-to.js'

export interface ExecuteOptions {
  /** Names databases that are not there yet. */
  config: Config
  file: string
  args: readonly string[]
  inputs: GivenInputs
  context: CliContext
  signals: StopSignals
  /** 0: none. */
  timeoutMs: number
}

/** What the executor may take beyond the drain time before it is killed. */
const STOP_GRACE_MS = 3_000

/**
 * Runs one pipeline the way a server would, on databases of its own and one executor process, and
 * shows its output. Answers 0, or throws what a person is to read.
 */
export async function executePipeline(options: ExecuteOptions): Promise<number> {
  const program = await bundle(options.file)
  const inputs = resolveInputs(program.inputs, options.inputs)
  const run = await during('could not execute pipeline', () => execute(options, program, inputs))
  if (run.status !== 'failed') return 0
  if (run.stopRequestedBy)
    throw new AppError('aborted', `execution cancelled: ${run.stopRequestedBy}`)
  // some messages of a run begin so already
  const reason = run.errorMessage.replace(/^could not execute pipeline: /, '')
  throw new AppError('run_failed', `could not execute pipeline: ${reason}`)
}

async function execute(
  options: ExecuteOptions,
  program: CompiledPipeline,
  inputs: Record<string, InputValue>,
): Promise<Run> {
  const { config, context } = options
  const { storage, secrets } = config
  migrateStorage({ storage: storage.path, secrets: secrets.path })
  const masterKey = await deriveMasterKey(secrets)
  storeGlobalSecrets(secrets.path, masterKey, secrets.global, Date.now())
  using main = closing(openDatabase(storage.path, { mode: 'write' }))
  const runId = enqueue(main.db, program, { ...options, inputs })

  const executor = startChild({
    entry: TIER_ENTRIES.executor,
    env: context.env,
    start: {
      type: 'start',
      title: 'pocketci executor',
      config: { ...config, secrets: { path: secrets.path, global: [] } },
      secretKey: masterKey.toString('base64'),
      // nobody is there to go on
      executor: { index: 1, capacity: 1, runsAtStop: 'kill' },
    },
  })
  try {
    return await follow({ ...options, db: main.db, runId, executor })
  } finally {
    await stop(executor, options)
  }
}

async function bundle(file: string): Promise<CompiledPipeline> {
  try {
    return await bundlePipeline(file)
  } finally {
    await stopCompiler()
  }
}

function enqueue(
  db: Db,
  program: CompiledPipeline,
  { file, args, inputs }: ExecuteOptions,
): string {
  const path = resolve(file)
  const pipelineId = createHash('sha256').update(path).digest('base64url').slice(0, 11)
  const now = Date.now()
  createPipelines(db).upsert(
    {
      name: pipelineNameOf(path),
      content: '',
      contentType: 'ts',
      driver: '',
      program: program.code,
      sourceMap: program.sourceMap,
    },
    pipelineId,
    now,
  )
  const run = createRuns(db).insert(
    {
      id: newRunId(),
      pipelineId,
      triggerType: 'cli',
      triggeredBy: '',
      triggerInput: { ...(args.length > 0 && { args: [...args] }), inputs },
      requestId: '',
    },
    now,
  )
  return run.id
}

interface FollowInput extends ExecuteOptions {
  db: Db
  runId: string
  executor: Child
}

/** Shows the run's output to its end; a signal or the time-out asks for that end. */
async function follow(input: FollowInput): Promise<Run> {
  const { config, context, db, runId, executor, signals } = input
  const left = new AbortController()
  using reader = closing(openDatabase(config.storage.path, { mode: 'read' }))
  using logsReader = closing(openDatabase(logsPathOf(config.storage.path), { mode: 'read' }))
  using changes = watchDatabases([reader.db, logsReader.db])
  using _stopRequests = requestStopOn(input, createRuns(db))
  void executor.exited.then(() => left.abort())
  signals.forced.addEventListener('abort', () => executor.kill('SIGKILL'))

  const events = followRun({
    runs: createRuns(reader.db),
    logs: createLogChunks(logsReader.db),
    reasons: createWaitReasons(reader.db),
    now: Date.now,
    changes,
    runId,
    signal: left.signal,
  })
  for await (const event of events) {
    if (event.type === 'output') await writeTo(context[event.chunk.stream], event.chunk.bytes)
    if (event.type === 'end' && event.run) return event.run
  }
  const { code, signal, fatal } = await executor.exited
  throw fatal ?? new AppError('tier_failed', `the executor ended with ${signal ?? `code ${code}`}`)
}

function requestStopOn(
  { runId, signals, timeoutMs }: FollowInput,
  runs: ReturnType<typeof createRuns>,
): Disposable {
  const error = (by: string) => ({ code: 'aborted', message: `execution cancelled: ${by}` })
  const stopRun = (by: string): void => {
    const now = Date.now()
    if (!runs.requestStop(runId, by, now)) runs.failQueued(runId, by, error(by), now)
  }
  const onSignal = (): void => stopRun(String(signals.stopping.reason))
  signals.stopping.addEventListener('abort', onSignal, { once: true })
  if (signals.stopping.aborted) onSignal()
  const onTimeout = (): void => stopRun(`timed out after ${timeoutMs / 1_000} s`)
  const timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      signals.stopping.removeEventListener('abort', onSignal)
    },
  }
}

async function stop(executor: Child, { config }: ExecuteOptions): Promise<void> {
  executor.order('stop')
  executor.order('close')
  const timer = setTimeout(() => executor.kill('SIGKILL'), config.drainTimeoutMs + STOP_GRACE_MS)
  await executor.exited
  clearTimeout(timer)
}

function closing(db: Db): Disposable & { db: Db } {
  return { db, [Symbol.dispose]: () => void db.close() }
}
