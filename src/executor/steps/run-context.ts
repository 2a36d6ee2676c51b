import type { Claim } from '../../shared/db/runs.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import type { Redactor } from '../../shared/redact/redactor.js'
import type { SecretReader } from '../../shared/secrets/secret-reader.js'
import type { Logger } from '../../shared/logger.js'
import type { Driver } from '../drivers/driver.js'
import type { LogWrites } from '../log-writes.js'
import type { Effects } from '../sandbox/effects.js'

/** Why everything of a run ends early. */
export type StopReason =
  /** Somebody asked for it: containers are killed. */
  | 'stop'
  /** The executor ends and its time to wait for the run is over: containers are killed. */
  | 'shutdown'
  /** The run is another executor's: containers are left alone. */
  | 'detach'
  /** The sandbox broke a limit or the journal cannot be written: containers are killed. */
  | 'failed'

/** What the steps of one run share. */
export interface RunContext {
  claim: Claim
  pipelineId: string
  driver: Driver
  effects: Effects
  logWriter: WriterClient<LogWrites>
  secrets: SecretReader
  redactor: Redactor
  logger: Logger
  /** Bytes of output kept of one step. */
  logBytes: number
  /** Largest message to the guest. */
  messageBytes: number
  /** Aborts with a StopReason. */
  signal: AbortSignal
  now: () => number
}

/** The part of `signal` that says what to do with what runs. */
export function isDetached(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason === 'detach'
}
