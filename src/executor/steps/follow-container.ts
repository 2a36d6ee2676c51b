import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../shared/errors.js'
import type { OutputStream } from '../../shared/contract/statuses.js'
import type { Container } from '../drivers/driver.js'
import type { Effect } from '../sandbox/effects.js'
import { openLogBatcher } from './log-batcher.js'
import { isDetached, type RunContext } from './run-context.js'
import { openStepOutput, type CapturedOutput } from './step-output.js'

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
  /** Keys its output in the log. */
  step: number
  container: Container
  /** Aborts when the step's time is up. */
  timeout: AbortSignal | undefined
  /** Set when the guest wants the output. */
  effect: Effect | undefined
}

/**
 * Stores a container's output as it comes and waits for its end; kills it when its time is up or
 * its run is stopped. Throws `lease_lost` without touching it when the run is no longer ours.
 */
export async function followContainer(options: FollowOptions): Promise<ContainerEnd> {
  const { context, step, container, timeout, effect } = options
  const { claim, logWriter, redactor, logBytes, messageBytes, now, signal } = context
  const log = openLogBatcher({ writer: logWriter, runId: claim.runId, step, now })
  const onOutput = effect && toGuest(effect, log)
  const output = openStepOutput({ redactor, log, limitBytes: logBytes, messageBytes, onOutput })

  const detached = new AbortController()
  const stop = AbortSignal.any(timeout ? [signal, timeout] : [signal])
  const onStop = (): void => {
    if (isDetached(signal)) detached.abort()
    // a failing kill shows as a container that does not end; the driver reports it
    else
      container
        .kill()
        .catch((error: unknown) => context.logger.warn({ err: error, step }, 'kill failed'))
  }
  stop.addEventListener('abort', onStop, { once: true })
  if (stop.aborted) onStop()
  try {
    for await (const chunk of container.output({ signal: detached.signal })) {
      await output.write(chunk.stream, chunk.bytes)
      output.skip(chunk.skippedBytes ?? 0)
    }
    if (detached.signal.aborted) throw detachedError()
    // the log is synced while the container is being taken down
    const [status, captured] = await Promise.all([container.wait(detached.signal), output.end()])
    if (signal.aborted) return { type: 'aborted', ...captured }
    if (timeout?.aborted) return { type: 'timed_out', ...captured }
    if (status.isLost) return { type: 'lost', ...captured }
    const { exitCode, isOutOfMemory } = status
    return { type: 'exited', exitCode, isOutOfMemory, ...captured }
  } finally {
    stop.removeEventListener('abort', onStop)
  }
}

function detachedError(): AppError {
  return new AppError('lease_lost', 'the run is no longer this executor’s')
}

/**
 * Hands output to the guest: decoded as a stream, stored first, so that the journal can name the
 * log chunk that it ends with, and one delivery at a time.
 */
function toGuest(effect: Effect, log: ReturnType<typeof openLogBatcher>) {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  return async (stream: OutputStream, bytes: Buffer): Promise<void> => {
    const text = decoders[stream].decode(bytes, { stream: true })
    if (text === '') return
    await log.flush()
    await effect.output(stream, text, log.lastSeq)
  }
}

/** A signal that aborts after some time; disposing it clears the timer. */
export function startTimeout(
  timeoutMs: number | undefined,
): Disposable & { signal: AbortSignal | undefined } {
  const cleared = new AbortController()
  if (timeoutMs === undefined) return { signal: undefined, [Symbol.dispose]: () => cleared.abort() }
  const expired = new AbortController()
  sleep(timeoutMs, undefined, { signal: cleared.signal }).then(
    () => expired.abort(new AppError('aborted', 'time-out')),
    () => undefined, // disposed
  )
  return { signal: expired.signal, [Symbol.dispose]: () => cleared.abort() }
}
