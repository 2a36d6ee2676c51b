import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Config } from '../../shared/config/config.js'
import type { Writer } from '../../shared/db/writer/open-writer.js'
import type { LogWrites } from '../log-writes.js'
import type { Launcher } from '../drivers/native/launcher/open-launcher.js'
import { loadEngine } from '../sandbox/load-engine.js'
import type { ClaimedRun, ExecutorWrites } from '../writes.js'
import { createRunControl } from './run-control.js'
import type { ThreadCommand, ThreadData, ThreadResult, ThreadTask } from './thread-messages.js'

/** Threads that wait for work: a cold one costs a run about 55 ms. */
const WARM_THREADS = 2
/** A thread above that number ends after this long without work. */
const IDLE_TIMEOUT_MS = 30_000
/** How often the watchdog looks at running guest code, and what it allows above the slice limit. */
const WATCH_MS = 20
const WATCH_GRACE_MS = 50

/** The threads that execute runs, one run a thread. Dispose it when no run is under way. */
export interface Pool extends AsyncDisposable {
  /** `leaseUntil`: until when the run is certainly ours, unix milliseconds. */
  start(claimed: ClaimedRun, leaseUntil: number): RunningRun
}

export interface RunningRun {
  claimed: ClaimedRun
  /** Resolves in every case. */
  ended: Promise<RunEnd>
  /** Ends it: `stop` kills its containers, `detach` leaves them alone. Safe to repeat. */
  end(type: ThreadCommand['type']): void
  /** The lease was renewed: until when, unix milliseconds. */
  renewed(leaseUntil: number): void
}

export type RunEnd =
  | ThreadResult
  /** The thread is gone and has not written the run's end: guest code that nothing else could stop, or a bug. */
  | { type: 'thread_lost'; reason: 'slice' | 'crash'; message: string }

export interface PoolOptions {
  config: Config
  /** Of the database: see db/instance.ts. */
  instance: string
  /** Runs at once. */
  capacity: number
  masterKey: Buffer
  /** There is no server behind this executor. */
  runsAlone: boolean
  stateWriter: Writer<ExecutorWrites>
  logWriter: Writer<LogWrites>
  launcher: Launcher
}

export async function openPool(options: PoolOptions): Promise<Pool> {
  const { config, capacity, stateWriter, logWriter, launcher } = options
  const data: ThreadData = { engine: await loadEngine() }
  const piscina = new Piscina<ThreadTask, ThreadResult>({
    filename: new URL('./thread-entry.js', import.meta.url).href,
    minThreads: Math.min(WARM_THREADS, capacity),
    maxThreads: capacity,
    idleTimeout: IDLE_TIMEOUT_MS,
    concurrentTasksPerWorker: 1,
    // a thread has timers and streams of its own between tasks
    atomics: 'disabled',
    workerData: data,
  })

  const start = (claimed: ClaimedRun, leaseUntil: number): RunningRun => {
    const control = createRunControl()
    control.leaseUntil = leaseUntil
    const commands = new MessageChannel()
    const killing = new AbortController()
    const task: ThreadTask = {
      claimed,
      config,
      instance: options.instance,
      masterKey: options.masterKey,
      runsAlone: options.runsAlone,
      stateWriter: stateWriter.connect(),
      logWriter: logWriter.connect(),
      control: control.buffer,
      launcher: launcher.connect(),
      commands: commands.port2,
    }
    const watch = setInterval(() => {
      if (control.isSliceOver(config.sandbox.sliceMs + WATCH_GRACE_MS)) killing.abort()
    }, WATCH_MS)
    const ended = piscina
      .run(task, {
        signal: killing.signal,
        transferList: [task.stateWriter, task.logWriter, task.launcher, task.commands],
      })
      .catch((error: unknown) => lost(error, killing.signal.aborted, config))
      .finally(() => {
        clearInterval(watch)
        commands.port1.close()
      })
    return {
      claimed,
      ended,
      end(type) {
        control.abort(type)
        commands.port1.postMessage({ type } satisfies ThreadCommand)
      },
      renewed: (until) => void (control.leaseUntil = until),
    }
  }

  return { start, [Symbol.asyncDispose]: () => piscina.destroy() }
}

function lost(error: unknown, isKilled: boolean, config: Config): RunEnd {
  if (!isKilled) return { type: 'thread_lost', reason: 'crash', message: String(error) }
  return {
    type: 'thread_lost',
    reason: 'slice',
    message: `pipeline code ran for more than ${config.sandbox.sliceMs} ms without a break (--sandbox-slice-timeout)`,
  }
}
