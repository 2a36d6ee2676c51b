import type { Container, ExitStatus } from '../drivers/driver.js'
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
    for await (const chunk of container.output({ from: output.from, signal: detached.signal }))
      await output.write(chunk)
    if (detached.signal.aborted) throw detachedError()
    // the log is synced while the container is being taken down
    const [status, captured] = await Promise.all([watch.ended, output.end()])
    return { ...endOf(status, watch.cause()), ...captured }
  } finally {
    watch.dispose()
    // whatever ended it, nobody waits for the container any more
    detached.abort()
  }
}

interface EndWatch {
  ended: Promise<ExitStatus>
  /** What killed it; undefined when it had ended by itself before. */
  cause(): 'timeout' | 'stop' | undefined
  dispose(): void
}

/** The first cause counts: a command that had ended before its time was up has not been timed out. */
function watchForEnd(options: FollowOptions, detached: AbortController): EndWatch {
  const { context, container, timeout, step } = options
  const { signal, logger } = context
  let hasEnded = false
  let cause: 'timeout' | 'stop' | undefined
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
    // a failing kill shows as a container that does not end; the driver reports it
    container.kill().catch((error: unknown) => logger.warn({ err: error, step }, 'kill failed'))
  }
  const signals = timeout ? [signal, timeout] : [signal]
  for (const one of signals) one.addEventListener('abort', onStop, { once: true })
  if (signals.some(({ aborted }) => aborted)) onStop()
  return {
    ended,
    cause: () => cause,
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
