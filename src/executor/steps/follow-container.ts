import { AppError } from '../../shared/errors.js'
import type { Container, ExitStatus } from '../drivers/driver.js'
import { isWithin } from '../../shared/wait.js'
import { detachedError, isDetached, unlessDetached, type RunContext } from './run-context.js'
import type { CapturedOutput, StepOutput } from './step-output.js'

/** How a container ended, as the step that ran it sees it. */
export type ContainerEnd = CapturedOutput &
  (
    | { type: 'exited'; exitCode: number; isOutOfMemory: boolean }
    /** Its own time-out killed it. */
    | { type: 'timed_out' }
    /** The run was stopped. */
    | { type: 'aborted' }
    | { type: 'lost' }
  )

export interface FollowOptions {
  context: RunContext
  /** For the log: `tasks.step`. */
  step: number
  container: Container
  output: StepOutput
  /** Aborts when the step's time is up. */
  timeout: AbortSignal | undefined
}

/**
 * Stores a container's output as it comes and waits for its end; kills it when its time is up or
 * its run is stopped. Throws `lease_lost` without touching it when the run is no longer ours, and
 * `driver_unavailable` when it can be followed no longer: what was stored stays stored.
 */
export async function followContainer(options: FollowOptions): Promise<ContainerEnd> {
  const { container, output } = options
  const detached = new AbortController()
  const watch = watchForEnd(options, detached)
  try {
    const { signal } = detached
    const onAway = (reason: AppError | undefined): void => noteAway(options, reason)
    for await (const chunk of container.output({ from: output.from, signal, onAway }))
      await output.write(chunk)
    if (detached.signal.aborted) throw watch.failure() ?? detachedError()
    // the log is synced while the container is being taken down
    const [status, captured] = await Promise.all([watch.ended, output.end()])
    return { ...endOf(status, watch.cause()), ...captured }
  } finally {
    watch.dispose()
    // whatever ended it, nobody waits for the container any more
    detached.abort()
  }
}

/** The step goes on or not; nobody knows while its driver does not answer. */
function noteAway({ context, step }: FollowOptions, reason: AppError | undefined): void {
  const { effects, logger, redactor } = context
  if (reason) logger.warn({ err: reason, step }, 'a step cannot be followed: its driver is away')
  const text = reason ? redactor.redact(`driver unavailable: ${reason.message}`) : ''
  effects.commit([], [{ type: 'note', step, text }])
}

interface EndWatch {
  ended: Promise<ExitStatus>
  /** What killed it; undefined when it had ended by itself before. */
  cause(): 'timeout' | 'stop' | undefined
  /** Why it cannot be followed to its end, when it is to end. */
  failure(): AppError | undefined
  dispose(): void
}

/**
 * What is to end and does not (its engine is away) is not waited for any longer: it is removed when
 * its run ends, or as soon as that is possible.
 */
const KILL_MS = 30_000

/** The first cause counts: a command that had ended before its time was up has not been timed out. */
function watchForEnd(options: FollowOptions, detached: AbortController): EndWatch {
  const { context, container, timeout, step } = options
  const { signal, logger } = context
  let hasEnded = false
  let cause: 'timeout' | 'stop' | undefined
  let failure: AppError | undefined
  const ended = unlessDetached(
    container.wait(detached.signal).then((status) => {
      hasEnded = true
      return status
    }),
    signal,
  )
  ended.catch(() => undefined) // the output ends first

  const onStop = (): void => {
    if (isDetached(signal)) return detached.abort()
    if (hasEnded || cause !== undefined) return
    try {
      context.checkLease()
    } catch {
      return detached.abort() // it is another executor's to kill
    }
    cause = signal.aborted ? 'stop' : 'timeout'
    const killed = container.kill()
    killed.catch((error: unknown) => logger.warn({ err: error, step }, 'kill failed'))
    void giveUpLate(Promise.allSettled([killed, ended]))
  }
  const giveUpLate = async (over: Promise<unknown>): Promise<void> => {
    if ((await isWithin(over, KILL_MS)) || detached.signal.aborted) return
    failure = new AppError('driver_unavailable', 'the container could not be ended in time')
    detached.abort()
  }
  const signals = timeout ? [signal, timeout] : [signal]
  for (const one of signals) one.addEventListener('abort', onStop, { once: true })
  if (signals.some(({ aborted }) => aborted)) onStop()
  return {
    ended,
    cause: () => cause,
    failure: () => failure,
    dispose() {
      for (const one of signals) one.removeEventListener('abort', onStop)
    },
  }
}

function endOf(status: ExitStatus, cause: 'timeout' | 'stop' | undefined) {
  if (cause === 'stop') return { type: 'aborted' as const }
  if (cause === 'timeout') return { type: 'timed_out' as const }
  if (status.isLost) return { type: 'lost' as const }
  const { exitCode, isOutOfMemory } = status
  return { type: 'exited' as const, exitCode, isOutOfMemory }
}
