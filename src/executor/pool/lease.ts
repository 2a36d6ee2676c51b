import { openDatabase, type Db } from '../../shared/db/open.js'
import { createRuns, type Claim } from '../../shared/db/runs.js'
import { leaseLost } from '../sandbox/effects.js'
import { isDetached } from '../steps/run-context.js'
import type { RunControl } from './run-control.js'

/** Whether a run is still this executor's, as a thread of it can know. */
export interface Lease extends Disposable {
  isHeld(): boolean
  /** Throws `lease_lost` when it is not. */
  check(): void
}

export interface LeaseOptions {
  claim: Claim
  control: RunControl
  /** Of the main database. */
  path: string
  signal: AbortSignal
}

/**
 * A look at the clock is enough while the lease runs. When it has run out (the process was stopped,
 * or renewals wait for a full disk) the run's row has the answer.
 */
export function openLease({ claim, control, path, signal }: LeaseOptions): Lease {
  let db: Db | undefined
  const isHeld = (): boolean => {
    if (isDetached(signal)) return false
    if (Date.now() < control.leaseUntil) return true
    db ??= openDatabase(path, { mode: 'read' })
    return createRuns(db).isOwned(claim)
  }
  return {
    isHeld,
    check() {
      if (!isHeld()) throw leaseLost(claim)
    },
    [Symbol.dispose]: () => void db?.close(),
  }
}
