import { hasCode } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import type { OutputStream } from '../../shared/contract/statuses.js'
import type { Task } from '../../shared/db/tasks.js'
import type { Container } from '../drivers/driver.js'
import type { Effect } from '../sandbox/effect.js'
import type { TaskChange } from '../writes.js'
import { followContainer, type ContainerEnd } from './follow-container.js'
import { openPatience } from './infrastructure.js'
import { openLogBatcher, type LogBatcher } from './log-batcher.js'
import { killSignal, unlessDetached, type RunContext } from './run-context.js'
import type { StepIdentity } from './step-identity.js'
import { openStepOutput, type StepOutput } from './step-output.js'
import { startTimeout } from './step-timeout.js'

/** A step that was lost runs once more; one that is lost again is given up. */
const MAX_TRIES = 2

export interface TriesOptions {
  context: RunContext
  identity: StepIdentity
  timeoutMs: number | undefined
  effect: Effect
  /** The guest wants the output. */
  hasOnOutput: boolean
  start(start: Start): Promise<Container>
}

/** What is started, and how. */
export interface Start {
  /** Exact name of the container, of this try alone. */
  id: string
  /** It may have been started before: then it is found, and nothing is started. */
  mayBeThere: boolean
  /** It was started before, for certain: one that is not there any more is lost. */
  wasStarted: boolean
  signal: AbortSignal
  /** Told how a slow start goes on. */
  onProgress(text: string): void
}

/**
 * Runs a step's container to its end, or goes on with the one that an earlier executor has started.
 * Infrastructure that fails is waited for; a container that was lost with its machine runs again.
 */
export async function runTries(options: TriesOptions): Promise<ContainerEnd> {
  const { context, identity, effect, hasOnOutput } = options
  const { claim, logWriter, redactor, logBytes, messageBytes, now } = context
  const { step } = identity
  let task = effect.isInDoubt ? context.findTask(step) : undefined
  let stored = effect.isInDoubt ? context.findStoredOutput(step) : undefined
  const log = openLogBatcher({
    writer: logWriter,
    claim,
    step,
    now,
    lastSeq: stored?.lastSeq ?? 0,
    isDurable: hasOnOutput,
  })
  const onOutput = hasOnOutput ? toGuest(options, log) : undefined
  if (hasOnOutput && stored) await handStored(context, step, effect)

  for (let tryNumber = task?.tries ?? 1; ; tryNumber++) {
    const output = await openStepOutput({
      ...{ redactor, log, limitBytes: logBytes, messageBytes, tryNumber, stored, onOutput },
    })
    const end = await runTry(options, { tryNumber, output, task })
    if (end.type !== 'lost' || tryNumber === MAX_TRIES) return end
    context.logger.warn({ step }, 'a step was lost; it runs once more')
    await context.effects.record([{ type: 'retry', step, tries: tryNumber + 1, reason: LOST }])
    faultPoint('step.try.committed')
    task = undefined
    stored = context.findStoredOutput(step)
  }
}

const LOST = 'lost: its machine or wrapper died, so nobody knows how it ended; it runs once more'

interface Try {
  tryNumber: number
  output: StepOutput
  /** Its row, when an earlier attempt may have started it. */
  task: Task | undefined
}

async function runTry(options: TriesOptions, { tryNumber, output, task }: Try) {
  const { context, identity, timeoutMs } = options
  const { containerId, step } = identity
  const id = tryNumber === 1 ? containerId : `${containerId}-try${tryNumber}`
  using timeout = startTimeout(timeoutMs, { startedAt: task?.startedAt, now: context.now })
  const kill = killSignal(context.signal)
  const signal = AbortSignal.any(timeout.signal ? [kill, timeout.signal] : [kill])
  const patience = openPatience(context, { step, signal })

  let wasStarted = typeof task?.startedAt === 'number'
  for (let mayBeThere = options.effect.isInDoubt; ; mayBeThere = true) {
    try {
      const what = { id, mayBeThere, wasStarted, signal }
      const container = await startNoted(options, output, what)
      wasStarted = true
      faultPoint('step.container.started')
      context.effects.commit([], [{ type: 'start', step }, ...staleNote(task), ...patience.over()])
      const end = await followContainer({
        context,
        step,
        container,
        output,
        timeout: timeout.signal,
      })
      return isTimedOut(end, options, task) ? { ...end, type: 'timed_out' as const } : end
    } catch (error) {
      if (timeout.signal?.aborted && !context.signal.aborted)
        return { type: 'timed_out' as const, ...(await output.end()) }
      if (wasStarted && hasCode(error, 'container_not_found'))
        return { type: 'lost' as const, ...(await output.end()) }
      await patience.wait(error)
    }
  }
}

/** What an executor has noted of an engine that was away, and died before that was over. */
function staleNote(task: Task | undefined): TaskChange[] {
  const isStale = task?.tries === 1 && task.errorMessage !== ''
  return isStale ? [{ type: 'note', step: task.step, text: '' }] : []
}

/** An executor may have killed it when its time was up, and died before it could say so. */
function isTimedOut(
  end: ContainerEnd,
  { context, timeoutMs = Infinity }: TriesOptions,
  task: Task | undefined,
): boolean {
  if (typeof task?.startedAt !== 'number' || context.now() < task.startedAt + timeoutMs)
    return false
  return end.type === 'lost' || (end.type === 'exited' && KILLED.has(end.exitCode))
}

/** By SIGKILL, and by SIGTERM. */
const KILLED = new Set([137, 143])

/** What is told of the start comes before the output in the step's log. */
async function startNoted(
  options: TriesOptions,
  output: StepOutput,
  start: Omit<Start, 'onProgress'>,
): Promise<Container> {
  let noted = Promise.resolve()
  const onProgress = (text: string): void => {
    noted = noted.then(() => output.note(text))
    noted.catch(() => undefined) // thrown below, unless the start fails first
  }
  const container = await startTracked(options, { ...start, onProgress })
  await noted
  return container
}

async function startTracked({ context, start }: TriesOptions, what: Start): Promise<Container> {
  const started = start(what)
  context.starting.add(started)
  void started.catch(() => undefined).finally(() => context.starting.delete(started))
  return unlessDetached(started, context.signal)
}

/**
 * Hands output to the guest: decoded as a stream, stored first, so that the journal can name the
 * log chunk that it ends with, and one delivery at a time.
 */
function toGuest({ context, identity: { step }, effect }: TriesOptions, log: LogBatcher) {
  return async (stream: OutputStream, bytes: Buffer): Promise<void> => {
    const text = context.decoders.decode(step, stream, bytes)
    if (text === '') return
    await log.flush()
    faultPoint('step.output.stored')
    await effect.output(stream, text, log.lastSeq)
  }
}

/** Hands the guest what is stored of a step's output and was not handed over yet. */
export async function handStored(context: RunContext, step: number, effect: Effect): Promise<void> {
  const stored = context.findStoredOutput(step)
  const after = Math.max(effect.outputSeq, stored.noteSeq)
  for (const { stream, bytes, seq } of stored.chunks(after)) {
    const text = context.decoders.decode(step, stream, bytes)
    if (text !== '') await effect.output(stream, text, seq)
  }
}
