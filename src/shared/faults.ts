import { closeSync, openSync } from 'node:fs'

/**
 * Places between two writes where a process may die, for tests of what the next one makes of it.
 * `POCKETCI_FAULT=<point>:<n>:<file>` makes the process that passes a point for the n-th time (in
 * one of its threads) kill itself with SIGKILL, and creates the file: it happens once, also when
 * the process is started again. `thread/<point>` ends only the thread.
 */
export type FaultPoint =
  // an effect of a pipeline, in this order
  | 'effect.intent.committed'
  | 'effect.output.committed'
  | 'effect.action.done'
  | 'effect.result.committed'
  // a step
  | 'step.secrets.committed'
  | 'step.container.started'
  | 'step.output.stored'
  | 'step.output.complete'
  | 'step.try.committed'
  // a run
  | 'run.claimed'
  | 'run.workdir.seeded'
  | 'run.volumes.forgotten'
  | 'run.replay.over'
  | 'run.stop.heard'
  | 'run.suspended'
  | 'run.finish.committed'
  | 'run.removed'
  | 'run.cleaned'
  // the api
  | 'api.run.admitted'
  | 'api.webhook.admitted'
  | 'api.run.restarted'
  | 'api.schedule.due'
  | 'api.schedule.fired'

interface Fault {
  point: string
  isThread: boolean
  passes: number
  file: string
}

// Read here and not in the configuration, which knows nothing of tests; set in none but theirs.
const fault = parseFault(process.env['POCKETCI_FAULT'])

/** Does nothing, unless a test wants the process dead here. */
export function faultPoint(point: FaultPoint): void {
  if (fault !== undefined && fault.point === point) pass(fault)
}

function parseFault(text: string | undefined): Fault | undefined {
  const [, thread, point = '', passes, file = ''] =
    /^(thread\/)?([a-z.]+):(\d+):(.+)$/.exec(text ?? '') ?? []
  if (file === '') return undefined
  return { point, isThread: thread !== undefined, passes: Number(passes), file }
}

function pass(armed: Fault): void {
  if (--armed.passes !== 0) return
  try {
    closeSync(openSync(armed.file, 'wx'))
  } catch {
    return // it has happened
  }
  if (armed.isThread) process.exit(1) // of a thread, that ends no more than the thread
  process.kill(process.pid, 'SIGKILL')
}
