import { readFileSync, readlinkSync } from 'node:fs'
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
  /** Called by the run's thread, so that another one finds its processor time. */
  identify(): void
  enterSlice(): void
  leaveSlice(): void
  /** From another thread: guest code has used more processor time than that without a break. */
  isSliceOver(limitMs: number): boolean
}

export function createRunControl(buffer = new SharedArrayBuffer(BYTES)): RunControl {
  const aborted = new Int32Array(buffer, 0, 1)
  const thread = new Int32Array(buffer, 4, 1)
  const startedAt = new BigInt64Array(buffer, 8, 1)
  const leaseUntil = new BigInt64Array(buffer, 16, 1)
  const cpuAtStart = new BigInt64Array(buffer, 24, 1)
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
    identify: () => void Atomics.store(thread, 0, ownThread()),
    enterSlice() {
      const { user, system } = process.threadCpuUsage()
      Atomics.store(cpuAtStart, 0, BigInt(user + system))
      Atomics.store(startedAt, 0, clockUs())
    },
    leaveSlice: () => void Atomics.store(startedAt, 0, 0n),
    isSliceOver(limitMs) {
      const start = Atomics.load(startedAt, 0)
      const limitUs = BigInt(limitMs) * 1_000n
      // no thread uses more than the wall clock shows
      if (start === 0n || clockUs() - start <= limitUs) return false
      const cpuUs = cpuUsOf(Atomics.load(thread, 0))
      const usedUs = cpuUs === undefined ? limitUs + 1n : cpuUs - Atomics.load(cpuAtStart, 0)
      return usedUs > limitUs && Atomics.load(startedAt, 0) === start
    },
  }
}

const BYTES = 32

/** The system's number of this thread; 0 where the system does not tell. */
function ownThread(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return 0 // not Linux: the wall clock has to do
  }
}

/** Processor time of a thread of this process. */
function cpuUsOf(thread: number): bigint | undefined {
  try {
    const [ns = ''] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')
    return BigInt(ns) / 1_000n
  } catch {
    return undefined // see ownThread
  }
}

/** Microseconds of one monotonic clock for all threads: their `performance.now` start apart. */
function clockUs(): bigint {
  return process.hrtime.bigint() / 1_000n
}
