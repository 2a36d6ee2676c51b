import type { MessagePort } from 'node:worker_threads'
import type { Config } from '../../shared/config/config.js'
import type { ClaimedRun } from '../writes.js'
import type { Engine } from '../sandbox/load-engine.js'
import type { CommandType } from './run-control.js'

/** What a thread gets for one run. Ports and buffers are handed over, the rest is copied. */
export interface ThreadTask {
  claimed: ClaimedRun
  config: Config
  /** Of the database. */
  instance: string
  /** There is no server behind this executor. */
  runsAlone: boolean
  /** 32 bytes. */
  masterKey: Uint8Array
  /** For createWriterClient: the main database and the log database. */
  stateWriter: MessagePort
  logWriter: MessagePort
  /** Shared with the watchdog: see run-control.ts. */
  control: SharedArrayBuffer
  /** For createLauncherClient. */
  launcher: MessagePort
  /** Carries a ThreadCommand into the thread. */
  commands: MessagePort
}

/**
 * `stop`: somebody wants the run stopped. `shutdown`: the executor ends for good and the run has not.
 * `detach`: another executor owns the run, or will.
 */
export interface ThreadCommand {
  type: CommandType
}

/** How a run left its thread. Its row is written before that, unless it was detached. */
export type ThreadResult =
  | { type: 'finished' }
  /** The lease was lost, or is given up: the row is not ours to write. */
  | { type: 'detached' }
  /** Its driver is unavailable, or it waits for others: the run is back in the queue. */
  | { type: 'released' }

/** What every thread of a pool shares. */
export interface ThreadData {
  engine: Engine
}
