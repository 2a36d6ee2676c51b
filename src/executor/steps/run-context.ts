import type { Feature } from '../../shared/config/config.js'
import { AppError } from '../../shared/errors.js'
import type { Gate } from '../../shared/db/gates.js'
import type { ReusableResult } from '../../shared/db/reusable-results.js'
import type { Claim, Run } from '../../shared/db/runs.js'
import type { Task } from '../../shared/db/tasks.js'
import type { TriggeredRun } from '../../shared/db/triggered-runs.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Redactor } from '../../shared/redact/redactor.js'
import type { Logger } from '../../shared/logger.js'
import type { Driver } from '../drivers/driver.js'
import type { LogWrites } from '../log-writes.js'
import type { Effects } from '../sandbox/effects.js'
import type { OutputDecoders, StoredOutput } from './stored-output.js'
import type { UsedSecrets } from './used-secrets.js'

/** Why everything of a run ends early. */
export type StopReason =
  /** Somebody asked for it: containers are killed. */
  | 'stop'
  /** The executor ends for good and its time to wait for the run is over: containers are killed. */
  | 'shutdown'
  /** The run is another executor's, or will be: containers are left alone. */
  | 'detach'
  /** The sandbox broke a limit or the journal cannot be written: containers are killed. */
  | 'failed'

/** The gates of one run. */
export interface RunGates {
  /** The gate that the run has asked for by this number. */
  get(number: number): Gate
  /** Ends those whose time is over. */
  expire(): Promise<void>
}

/** The runs that one run has triggered. */
export interface RunTriggers {
  /** The answer to its call of this number. */
  get(number: number): TriggeredRun
  findRun(id: string): Run | undefined
}

/** What the steps of one run share. */
export interface RunContext {
  claim: Claim
  pipelineId: string
  /** Number of the last step of earlier generations of the run. */
  stepBase: number
  driver: Driver
  effects: Effects
  logWriter: WriterClient<LogWrites>
  secrets: UsedSecrets
  redactor: Redactor
  decoders: OutputDecoders
  logger: Logger
  features: readonly Feature[]
  /** There is no server, and nobody who could see the run or do anything for it. */
  runsAlone: boolean
  gates: RunGates
  triggers: RunTriggers
  maxQueueSize: number
  /** Bytes of output kept of one step. */
  logBytes: number
  /** Largest message to the guest. */
  messageBytes: number
  /** Aborts with a StopReason. */
  signal: AbortSignal
  /**
   * Throws `lease_lost` when the run is no longer this executor's. To be called right before anything
   * is done to a container: an executor that was stopped for a while wakes up anywhere.
   */
  checkLease(): void
  /** Starts of containers that are under way, also when nobody waits for them any more. */
  starting: Set<Promise<unknown>>
  findTask(step: number): Task | undefined
  findStoredOutput(step: number): StoredOutput
  /** What the n-th step with these arguments came to in an earlier generation of the run, if that stands. */
  findReusable(argsHash: Uint8Array, occurrence: number): ReusableResult | undefined
  now: () => number
}

/** The part of `signal` that says what to do with what runs. */
export function isDetached(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason === 'detach'
}

export function detachedError(): AppError {
  return new AppError('lease_lost', 'the run is no longer this executor’s')
}

/**
 * A signal for what may be ended and cleaned up: it aborts with the run's, but not when the run goes
 * to another executor, whose containers they are then.
 */
export function killSignal(signal: AbortSignal): AbortSignal {
  const kill = new AbortController()
  const onAbort = (): void => {
    if (!isDetached(signal)) kill.abort(signal.reason)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return kill.signal
}

/** The value of a promise, or `lease_lost` as soon as the run is detached; the promise goes on. */
export async function unlessDetached<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  const detached = Promise.withResolvers<never>()
  const onAbort = (): void => {
    if (isDetached(signal)) detached.reject(detachedError())
  }
  promise.catch(() => undefined) // when nobody waits any more
  signal.addEventListener('abort', onAbort)
  try {
    if (signal.aborted) onAbort()
    return await Promise.race([promise, detached.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
