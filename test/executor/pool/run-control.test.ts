import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createRunControl } from '../../../src/executor/pool/run-control.js'
import { until } from '../../helpers/until.js'

/** A thread that enters a slice and then waits, or computes, until it is ended. */
const THREAD = `
import { workerData, parentPort } from 'node:worker_threads'
const { createRunControl } = await import(workerData.module)
const control = createRunControl(workerData.buffer)
control.identify()
control.enterSlice()
parentPort.postMessage('entered')
if (workerData.spins) for (;;);
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
`

const module = new URL('../../../src/executor/pool/run-control.js', import.meta.url).href

for (const spins of [false, true])
  test(`another thread sees that a slice ${spins ? 'computes' : 'only waits for its turn'}`, async () => {
    const control = createRunControl()
    const data = { module, buffer: control.buffer, spins }
    const url = new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`)
    const worker = new Worker(url, { workerData: data })
    try {
      await once(worker, 'message')
      if (spins) await until('the slice is over', () => control.isSliceOver(50))
      else {
        const enteredAt = performance.now()
        await until('time goes by', () => performance.now() - enteredAt > 150)
        assert.equal(control.isSliceOver(50), false)
      }
    } finally {
      await worker.terminate()
    }
  })
