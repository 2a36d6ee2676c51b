import type { CrashReason, VmHost, VmLimits } from './pipeline-vm.js'

/**
 * Ends the guest. It is thrown through the engine's own frames, so that no `catch` of the guest
 * sees it; the engine is in no defined state afterwards and must not be touched again.
 */
export class GuestStopped extends Error {
  readonly reason: CrashReason

  constructor(reason: CrashReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/**
 * Measures the guest's slices, and says when one is over its limits. By the processor time of its
 * thread: on a machine that is busy with builds a harmless slice may take long by the wall clock.
 */
export interface SliceClock {
  readonly isRunning: boolean
  enter(): void
  leave(): void
  /** Throws GuestStopped when the slice has to end; the engine calls it every 10,000 steps. */
  check(): void
  /** Runs a host function that waits for a disk: its time is not the guest's. */
  pause<Result>(wait: () => Result): Result
  /** Makes the next check throw: for places where throwing through the engine is impossible. */
  stop(reason: GuestStopped): void
}

export function createSliceClock(limits: VmLimits, host: VmHost): SliceClock {
  let isRunning = false
  let startedAt = 0
  /** Guest time before `startedAt`: of this slice, and of all before it. */
  let sliceMs = 0
  let totalMs = 0
  let stopped: GuestStopped | undefined

  const begin = (): void => {
    startedAt = threadCpuMs()
    host.enterSlice()
  }
  const end = (): void => {
    host.leaveSlice()
    sliceMs += threadCpuMs() - startedAt
  }

  return {
    get isRunning() {
      return isRunning
    },

    enter() {
      isRunning = true
      sliceMs = 0
      begin()
    },

    leave() {
      end()
      totalMs += sliceMs
      isRunning = false
    },

    check() {
      if (stopped) throw stopped
      if (host.isAborted()) throw new GuestStopped('aborted', 'the run was aborted')
      const currentMs = sliceMs + threadCpuMs() - startedAt
      if (currentMs > limits.sliceMs) throw new GuestStopped('slice', sliceMessage(limits.sliceMs))
      if (totalMs + currentMs > limits.cpuMs)
        throw new GuestStopped('cpu', cpuMessage(limits.cpuMs))
    },

    pause(wait) {
      end()
      try {
        return wait()
      } finally {
        begin()
      }
    },

    stop(reason) {
      stopped ??= reason
    },
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

function sliceMessage(ms: number): string {
  return `the pipeline kept the processor for more than ${ms} ms without waiting for anything (--sandbox-slice-timeout)`
}

function cpuMessage(ms: number): string {
  return `the pipeline used more than ${ms} ms of processor time (--sandbox-cpu-timeout)`
}
