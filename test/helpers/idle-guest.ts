import type { VmHost } from '../../src/executor/sandbox/pipeline-vm.js'

/** A host that answers nothing, for guests that ask for nothing. */
export const idleHost: VmHost = {
  callSync: () => null,
  callAsync() {},
  isAborted: () => false,
  enterSlice() {},
  leaveSlice() {},
  now: () => 0,
}

/** The `pipelineContext` of a run that nobody has started. */
export const idleContext = {
  runID: '',
  pipelineID: '',
  triggeredBy: '',
  args: [],
  targetJobs: [],
  inputs: {},
  driverName: '',
}
