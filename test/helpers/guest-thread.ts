import { parentPort, workerData } from 'node:worker_threads'
import { openPipelineVm } from '../../src/executor/sandbox/open-pipeline-vm.js'
import type { Program, VmState } from '../../src/executor/sandbox/pipeline-vm.js'
import type { Engine } from '../../src/executor/sandbox/load-engine.js'
import { idleContext, idleHost } from './idle-guest.js'

/** What the thread is started with; it posts the state that each program ends in. */
export interface GuestThreadData {
  engine: Engine
  programs: Program[]
}

const { engine, programs } = workerData as GuestThreadData
const states: VmState[] = []
for (const program of programs) {
  using vm = await openPipelineVm({
    engine,
    program,
    context: idleContext,
    host: idleHost,
    limits: { memoryBytes: 67_108_864, sliceMs: 1_000, cpuMs: 5_000, messageBytes: 1_048_576 },
    seed: 1,
  })
  vm.start()
  states.push(vm.state)
}
parentPort?.postMessage(states)
