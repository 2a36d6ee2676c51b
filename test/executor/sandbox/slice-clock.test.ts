import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VmHost } from '../../../src/executor/sandbox/pipeline-vm.js'
import { createSliceClock, GuestStopped } from '../../../src/executor/sandbox/slice-clock.js'

const host: VmHost = {
  callSync: () => null,
  callAsync: () => undefined,
  isAborted: () => false,
  enterSlice: () => undefined,
  leaveSlice: () => undefined,
  now: () => 0,
}
const limits = { memoryBytes: 1, sliceMs: 50, cpuMs: 150, messageBytes: 1 }

const wait = (ms: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

function spin(ms: number): void {
  const start = process.threadCpuUsage()
  for (;;) {
    const { user, system } = process.threadCpuUsage(start)
    if (user + system > ms * 1_000) return
  }
}

test('a slice that the machine has no time for is not over', () => {
  const clock = createSliceClock(limits, host)
  clock.enter()
  wait(120)
  clock.check()
  clock.leave()
})

test('one that computes is, and so is a run of many that do', () => {
  const clock = createSliceClock(limits, host)
  clock.enter()
  spin(60)
  assert.throws(
    () => clock.check(),
    (error) => error instanceof GuestStopped && error.reason === 'slice',
  )
  const other = createSliceClock(limits, host)
  const slice = (): void => {
    other.enter()
    spin(40)
    other.check()
    other.leave()
  }
  for (let count = 0; count < 3; count++) slice()
  assert.throws(slice, (error) => error instanceof GuestStopped && error.reason === 'cpu')
})
