import { after, type TestContext } from 'node:test'
import { executeRun } from '../../src/executor/pool/execute-run.js'
import type { RunExit } from '../../src/executor/pool/run-pipeline.js'
import { openLease } from '../../src/executor/pool/lease.js'
import { createRunControl, type RunControl } from '../../src/executor/pool/run-control.js'
import { loadEngine } from '../../src/executor/sandbox/load-engine.js'
import type { LogWrites } from '../../src/executor/log-writes.js'
import type { StopReason } from '../../src/executor/steps/run-context.js'
import type { Driver } from '../../src/executor/drivers/driver.js'
import type { ClaimedRun, ExecutorWrites } from '../../src/executor/writes.js'
import { loadConfig } from '../../src/shared/config/load-config.js'
import { createLogChunks } from '../../src/shared/db/log-chunks.js'
import { logsPathOf, openDatabase, type Db } from '../../src/shared/db/open.js'
import { createPipelines } from '../../src/shared/db/pipelines.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { createTasks, type Task } from '../../src/shared/db/tasks.js'
import { openWriter, type Writer } from '../../src/shared/db/writer/open-writer.js'
import type { Operations } from '../../src/shared/db/writer/protocol.js'
import type { WriterClient } from '../../src/shared/db/writer/writer-client.js'
import { createLogger } from '../../src/shared/logger.js'
import { compilePipeline, stopCompiler } from '../../src/shared/pipeline/compile.js'
import { createMachine, type Machine } from './scripted-driver.js'
import { CLAIMER, tempStorage } from './storage.js'

/** How one attempt of a run ended. */
export type AttemptEnd = RunExit | { status: 'died' } | { status: 'threw'; error: unknown }

/** One run of one pipeline on a scripted machine, attempt after attempt, on real databases. */
export interface TestRun {
  machine: Machine
  main: Db
  /** Executes it until it ends, or until the executor dies at its n-th operation. */
  attempt(options?: AttemptOptions): Promise<AttemptEnd>
  /** Operations of the last attempt. */
  operations(): number
  /** What it printed and what its tasks came to: the same however often its executor died. */
  summary(): { lines: string; tasks: Partial<Task>[]; outputs: string[] }
  output(step: number): string
}

export interface AttemptOptions {
  /** The executor dies around this operation: a write, a log append, a request to the driver. */
  dieAt?: number
  /** Before it is done, or after. */
  dieWhen?: 'before' | 'after'
  /** Counts only what is written to the journal. */
  onlyJournal?: boolean
  onStart?(running: { end(reason: StopReason): void; control: RunControl }): void
}

export const MASTER_KEY = Buffer.alloc(32, 7)
const MAIN = new URL('../../src/executor/writes.js', import.meta.url)
const LOGS = new URL('../../src/executor/log-writes.js', import.meta.url)

/** Makes what tests run attempts with; the compiler and the writers end with the test file. */
export function createAttempts() {
  const engine = loadEngine()
  after(stopCompiler)

  async function open(t: TestContext, source: string): Promise<TestRun> {
    const path = tempStorage(t)
    const main = openDatabase(path, { mode: 'write' })
    const logs = openDatabase(logsPathOf(path), { mode: 'read' })
    const stateWriter = await openWriter<ExecutorWrites>({ path, operations: MAIN })
    const logWriter = await openWriter<LogWrites>({ path: logsPathOf(path), operations: LOGS })
    t.after(async () => {
      await stateWriter[Symbol.asyncDispose]()
      await logWriter[Symbol.asyncDispose]()
      main.close()
      logs.close()
    })
    await insertRun(main, source)
    const config = loadConfig({ 'storage-sqlite-path': [path], 'log-level': ['error'] }, {})
    const machine = createMachine()
    const chunks = createLogChunks(logs)
    let operations = 0

    const claim = async (): Promise<ClaimedRun> => {
      main.prepare("update runs set lease_expires_at = 0 where status = 'running'").run()
      const [claimed] = await stateWriter.client.write('claim', {
        ...{ executorId: 'x', limit: 1, now: Date.now(), leaseTtlMs: 600_000, ...CLAIMER },
      })
      if (!claimed) throw new Error('there is nothing to claim')
      return claimed
    }

    const output = (step: number): string =>
      Buffer.concat(chunks.listOfStep(RUN, step, 0, 100_000).map(({ bytes }) => bytes)).toString()

    return {
      machine,
      main,
      operations: () => operations,
      output,

      async attempt({ dieAt = Infinity, dieWhen = 'before', onlyJournal = false, onStart } = {}) {
        const claimed = await claim()
        const life = createLife({ dieAt, dieWhen, onlyJournal })
        const control = createRunControl()
        control.leaseUntil = Date.now() + 600_000
        const stopping = new AbortController()
        const runClaim = { runId: RUN, attempt: claimed.run.attempt }
        using lease = openLease({ claim: runClaim, control, path, signal: stopping.signal })
        const end = (reason: StopReason): void => {
          control.abort()
          if (!stopping.signal.aborted) stopping.abort(reason)
        }
        onStart?.({ end, control })
        try {
          const outcome = await executeRun({
            task: { claimed, config, masterKey: MASTER_KEY, runsAlone: false },
            engine: await engine,
            driver: life.driver(machine.open()),
            stateWriter: life.writer(stateWriter),
            logWriter: life.writer(logWriter),
            lease,
            logger: createLogger({ ...config.log, level: 'error' }, 'test'),
            control,
            signal: stopping.signal,
            end,
          })
          return life.isOver() ? { status: 'died' } : outcome
        } catch (error) {
          return life.isOver() ? { status: 'died' } : { status: 'threw', error }
        } finally {
          operations = life.operations()
        }
      },

      summary() {
        const tasks = createTasks(main).listAfter(RUN, 0, 1_000)
        return {
          lines: output(0),
          tasks: tasks.map(({ step, path, name, status, code, errorMessage, tries }) => ({
            ...{ step, path, name, status, code, errorMessage, tries },
          })),
          outputs: tasks.map(({ step }) => output(step)),
        }
      },
    }
  }

  return { open }
}

/** The id of the one run. */
export const RUN = 'run-1'

async function insertRun(db: Db, source: string): Promise<void> {
  const { code, sourceMap } = await compilePipeline(source, { contentType: 'ts' })
  createPipelines(db).upsert(
    {
      name: 'p',
      content: '',
      contentType: 'ts',
      driver: '',
      program: code,
      sourceMap,
    },
    'p',
    1,
  )
  createRuns(db).insert(
    {
      id: RUN,
      pipelineId: 'p',
      triggerType: 'manual',
      triggeredBy: '',
      triggerInput: {},
      requestId: '',
    },
    1,
  )
}

function isJournalled(input: unknown): boolean {
  const { entries } = input as { entries?: readonly unknown[] }
  return entries !== undefined && entries.length > 0
}

/** Counts what an executor does to the world; when it is dead none of it has any effect. */
function createLife({ dieAt, dieWhen, onlyJournal }: Required<Omit<AttemptOptions, 'onStart'>>) {
  let count = 0
  let isOver = false
  const live = <Value>(work: () => Value, isCounted = !onlyJournal): Value => {
    if (isOver) throw new Error('the executor is dead')
    if (!isCounted || ++count !== dieAt) return work()
    const result = dieWhen === 'after' ? work() : undefined
    isOver = true
    // whoever waits for it is dead as well
    if (result instanceof Promise) result.catch(() => undefined)
    throw new Error('the executor dies')
  }
  const liveAsync = async <Value>(
    work: () => Promise<Value>,
    isCounted?: boolean,
  ): Promise<Value> => {
    const value = await live(work, isCounted)
    if (isOver) throw new Error('the executor is dead')
    return value
  }

  return {
    isOver: () => isOver,
    operations: () => count,

    writer: <Ops extends Operations>({ client }: Writer<Ops>): WriterClient<Ops> => ({
      write: (operation, input) =>
        liveAsync(
          () => client.write(operation, input, { isDurable: false }),
          !onlyJournal || isJournalled(input),
        ),
      writeSync: (operation, input) =>
        live(() => client.writeSync(operation, input), !onlyJournal || isJournalled(input)),
      [Symbol.dispose]() {},
    }),

    driver: (driver: Driver): Driver => ({
      ...driver,
      run: async (spec, signal) => mortal(await liveAsync(() => driver.run(spec, signal))),
      find: async (id) => {
        const found = await liveAsync(() => driver.find(id))
        return found && mortal(found)
      },
      createVolume: (spec) => liveAsync(() => driver.createVolume(spec)),
      startSandbox: async (spec, signal) => {
        const sandbox = await liveAsync(() => driver.startSandbox(spec, signal))
        return {
          id: sandbox.id,
          exec: async (exec, signal) => mortal(await liveAsync(() => sandbox.exec(exec, signal))),
          remove: () => liveAsync(() => sandbox.remove()),
        }
      },
    }),
  }

  function mortal(container: Awaited<ReturnType<Driver['run']>>): typeof container {
    return {
      ...container,
      kill: (graceMs) => liveAsync(() => container.kill(graceMs)),
      wait: (signal) => container.wait(signal),
    }
  }
}
