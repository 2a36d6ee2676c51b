import type { StopReason } from '../steps/run-context.js'

/** What the main thread may want; the numbers are those in the shared bytes. */
const REASONS = ['stop', 'shutdown', 'detach'] as const satisfies StopReason[]
export type CommandType = (typeof REASONS)[number]

/**
 * A few bytes that a run's thread shares with the executor's main thread: they work while guest
 * code spins and no message gets through.
 */
export interface RunControl {
  readonly buffer: SharedArrayBuffer
  /** Makes the sandbox end at its next check; the first reason counts. */
  abort(reason?: CommandType): void
  readonly isAborted: boolean
  /** What the main thread wants; undefined when the thread itself has aborted. */
  readonly reason: CommandType | undefined
  /** Until when the run is certainly this executor's, unix milliseconds. */
  leaseUntil: number
  enterSlice(): void
  leaveSlice(): void
  /** How long guest code has been running without a break; 0 when it does not run. */
  sliceMs(): number
}

export function createRunControl(buffer = new SharedArrayBuffer(BYTES)): RunControl {
  const aborted = new Int32Array(buffer, 0, 1)
  const startedAt = new BigInt64Array(buffer, 8, 1)
  const leaseUntil = new BigInt64Array(buffer, 16, 1)
  return {
    buffer,
    abort: (reason) =>
      void Atomics.compareExchange(aborted, 0, 0, reason ? REASONS.indexOf(reason) + 2 : 1),
    get isAborted() {
      return Atomics.load(aborted, 0) !== 0
    },
    get reason() {
      return REASONS[Atomics.load(aborted, 0) - 2]
    },
    get leaseUntil() {
      return Number(Atomics.load(leaseUntil, 0))
    },
    set leaseUntil(ms) {
      Atomics.store(leaseUntil, 0, BigInt(Math.trunc(ms)))
    },
    enterSlice: () => void Atomics.store(startedAt, 0, clockUs()),
    leaveSlice: () => void Atomics.store(startedAt, 0, 0n),
    sliceMs() {
      const start = Atomics.load(startedAt, 0)
      return start === 0n ? 0 : Number(clockUs() - start) / 1_000
    },
  }
}

const BYTES = 24

/** Microseconds of one monotonic clock for all threads: their `performance.now` start apart. */
function clockUs(): bigint {
  return process.hrtime.bigint() / 1_000n
}
