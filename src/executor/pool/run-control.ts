/**
 * A few bytes that a run's thread shares with the executor's main thread: they work while guest
 * code spins and no message gets through.
 */
export interface RunControl {
  readonly buffer: SharedArrayBuffer
  /** Makes the sandbox end at its next check. */
  abort(): void
  readonly isAborted: boolean
  enterSlice(): void
  leaveSlice(): void
  /** How long guest code has been running without a break; 0 when it does not run. */
  sliceMs(): number
}

export function createRunControl(buffer = new SharedArrayBuffer(16)): RunControl {
  const aborted = new Int32Array(buffer, 0, 1)
  const startedAt = new BigInt64Array(buffer, 8, 1)
  return {
    buffer,
    abort: () => void Atomics.store(aborted, 0, 1),
    get isAborted() {
      return Atomics.load(aborted, 0) === 1
    },
    enterSlice: () => void Atomics.store(startedAt, 0, clockUs()),
    leaveSlice: () => void Atomics.store(startedAt, 0, 0n),
    sliceMs() {
      const start = Atomics.load(startedAt, 0)
      return start === 0n ? 0 : Number(clockUs() - start) / 1_000
    },
  }
}

/** Microseconds of one monotonic clock for all threads: their `performance.now` start apart. */
function clockUs(): bigint {
  return process.hrtime.bigint() / 1_000n
}
