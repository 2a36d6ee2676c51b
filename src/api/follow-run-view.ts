import { isTerminal } from '../shared/contract/statuses.js'
import type { LogChunk } from '../shared/db/log-chunks.js'
import type { Run } from '../shared/db/runs.js'
import { describeWait, type WaitReason } from '../shared/db/wait-reasons.js'
import type { Task } from '../shared/db/tasks.js'
import type { ApiContext } from './context.js'

/** What changes on the page of a run. `skipped`: output of a step before what is shown of it. */
export type RunViewEvent =
  | { type: 'run'; run: Run; reason: WaitReason | undefined }
  | { type: 'task'; task: Task }
  | { type: 'skipped'; step: number; bytes: number }
  | { type: 'output'; chunk: LogChunk }
  /** Always last; `run` is undefined when the run was deleted. */
  | { type: 'end'; run: Run | undefined }

export interface RunViewOptions {
  runId: string
  signal: AbortSignal
  /** Continue behind this chunk; 0 starts anew, with the last bytes of each step alone. */
  afterChunk: number
}

const CHUNK_BATCH = 16
const TASK_BATCH = 100
/** What a page keeps of one step, and about what it gets of all at its start. */
const STEP_TAIL_BYTES = 1_048_576
const RUN_TAIL_BYTES = 8 * 1_048_576

/** A run as a page shows it, from now to its end, at the reader's pace. A task comes before its output. */
export async function* followRunView(
  context: Pick<ApiContext, 'runs' | 'tasks' | 'logs' | 'changes' | 'waitReasons' | 'now'>,
  { runId, signal, afterChunk }: RunViewOptions,
): AsyncGenerator<RunViewEvent, void, undefined> {
  const { runs, tasks, logs, changes, waitReasons, now } = context
  const watch = watchTasks(tasks, runId)
  const skip = new Map<number, number>()
  let after = afterChunk
  let shown = ''

  yield* watch()
  if (afterChunk === 0) yield* skipHeads()
  while (!signal.aborted) {
    const seen = changes.version
    // the status first: what a run wrote is committed before the run ends
    const run = runs.find(runId)
    const reason = run && waitReasons.find(run, now())
    const state = run ? `${run.status} ${reason ? describeWait(reason) : ''}` : ''
    if (run && state !== shown) yield { type: 'run', run, reason }
    shown = state
    for (;;) {
      const chunks = logs.listOfRun(runId, after, CHUNK_BATCH)
      yield* watch()
      for (const chunk of chunks)
        if (chunk.seq > (skip.get(chunk.step) ?? 0)) yield { type: 'output', chunk }
      after = chunks.at(-1)?.id ?? after
      if (chunks.length < CHUNK_BATCH || signal.aborted) break
      // reading past what is skipped must not hold up other requests
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (!run || isTerminal(run.status)) {
      yield { type: 'end', run }
      return
    }
    await changes.changed(seen, signal)
  }

  function* skipHeads(): Generator<RunViewEvent> {
    const steps = listSteps(tasks, runId)
    const tail = Math.min(STEP_TAIL_BYTES, Math.ceil(RUN_TAIL_BYTES / steps.length))
    for (const step of steps) {
      const size = logs.sizeOfStep(runId, step)
      if (size <= tail) continue
      skip.set(step, logs.findTailStart(runId, step, tail))
      yield { type: 'skipped', step, bytes: size - tail }
    }
  }
}

/** Tasks that are new or have changed since the last look; those that have ended are not read again. */
function watchTasks(
  tasks: ApiContext['tasks'],
  runId: string,
): () => Generator<RunViewEvent, void, undefined> {
  const open = new Map<number, string>()
  let last = 0
  const note = (task: Task): boolean => {
    const isNews = open.get(task.step) !== task.status
    if (task.completedAt === null) open.set(task.step, task.status)
    else open.delete(task.step)
    return isNews
  }

  return function* () {
    for (const step of open.keys()) {
      const [task] = tasks.listAfter(runId, step - 1, 1)
      if (!task || task.step !== step) open.delete(step)
      else if (note(task)) yield { type: 'task', task }
    }
    for (;;) {
      const batch = tasks.listAfter(runId, last, TASK_BATCH)
      for (const task of batch) {
        last = task.step
        if (note(task)) yield { type: 'task', task }
      }
      if (batch.length < TASK_BATCH) return
    }
  }
}

/** The steps that have rows, and the run's console. */
function listSteps(tasks: ApiContext['tasks'], runId: string): number[] {
  const steps = [0]
  for (;;) {
    const batch = tasks.listAfter(runId, steps.at(-1) ?? 0, TASK_BATCH)
    for (const { step } of batch) steps.push(step)
    if (batch.length < TASK_BATCH) return steps
  }
}
