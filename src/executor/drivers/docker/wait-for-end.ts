import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { ExitStatus } from '../driver.js'
import { isWithin, unlessAborted } from '../../../shared/wait.js'
import { isEngineLost, statusOf, toDriverError } from '../../../shared/docker/engine.js'

/** How a container ends, as the engine knows it, across restarts of the engine. */
export interface End {
  /** The same answer at each call. */
  wait(): Promise<ExitStatus>
  /** True when it has ended, or does so within a moment, and its engine was there all the time. */
  isReached(signal: AbortSignal | undefined): Promise<boolean>
  /** A kill is on its way that is ours: that it dies of one says nothing else. */
  expectKill(): void
}

/** The exit code of a container that is about to start; rejects when the connection breaks. */
export type Exit = Promise<number>

/** How often an engine that is away is asked, and for how long before its steps are given up. */
const RETRY_MS = 500
const PATIENCE_MS = 600_000

/** How a process ends that an engine kills when it stops. */
const KILLED = new Set([137, 143, 255])

export interface EndOptions {
  docker: Docker
  container: Docker.Container
  /** Its exit code, when it was asked for before the start. */
  exit: Exit | undefined
}

/** The end of a container that was started. */
export function createEnd({ docker, container, exit }: EndOptions): End {
  let settled: Promise<ExitStatus> | undefined
  let wasAway = false
  let isOurKill = false
  const lost = Promise.withResolvers<void>()
  const onAway = (): void => {
    wasAway = true
    lost.resolve()
  }
  exit?.catch(onAway)

  const settle = async (): Promise<ExitStatus> => {
    try {
      const code = await exit?.catch(() => undefined)
      if (code === 0) return SUCCESS
      if (code === undefined)
        await patiently(() => container.wait({ condition: 'not-running' }), onAway)
      const { State: state } = await patiently(() => container.inspect(), onAway)
      const { ExitCode: exitCode, OOMKilled: isOutOfMemory } = state
      const isKilled = KILLED.has(exitCode) && !isOutOfMemory && !isOurKill
      const isLost =
        state.Status === 'created' ||
        (isKilled &&
          (wasAway ||
            (await wasKilledFromOutside(docker, container.id, {
              state,
              isWatched: code !== undefined,
            }))))
      return { exitCode, isOutOfMemory, isLost }
    } catch (error) {
      // somebody has removed it
      if (statusOf(error) === 404) return { exitCode: 255, isOutOfMemory: false, isLost: true }
      throw toDriverError(error, 'container_failed', 'waiting for a container')
    }
  }
  const wait = (): Promise<ExitStatus> => (settled ??= settle())

  return {
    wait,
    expectKill() {
      isOurKill = true
    },
    async isReached(signal) {
      const known = Promise.race([wait(), lost.promise])
      try {
        return (await isWithin(unlessAborted(known, signal), MOMENT_MS)) && !wasAway
      } catch (error) {
        if (signal?.aborted) return false
        throw error
      }
    },
  }
}

/**
 * True when somebody had the engine kill it: an engine that stops does so with all that it runs. What
 * a container does to itself is no event. One whose end the engine does not know to have happened ends
 * with that engine, if it was watched all the time.
 */
async function wasKilledFromOutside(
  docker: Docker,
  id: string,
  { state, isWatched }: { state: { FinishedAt: string }; isWatched: boolean },
): Promise<boolean> {
  // by the engine's clock, which may be another machine's; of this container all events will do
  const until = Date.parse(state.FinishedAt) / 1_000 + EVENT_DELAY_S
  const filters = { container: [id], event: ['kill', 'die'] }
  try {
    const events = await docker.getEvents({ since: 1, until, filters })
    let text = ''
    for await (const bytes of events as AsyncIterable<Buffer>) {
      text += bytes.toString()
      if (text.includes('"status":"kill"')) return true
    }
    return isWatched && !text.includes('"status":"die"')
  } catch (error) {
    if (isEngineLost(error)) return true
    throw error
  }
}

/** An engine notes a kill when it is done: the container may have ended by then. */
const EVENT_DELAY_S = 0.5

/** Needs no second look: nothing was killed. */
const SUCCESS: ExitStatus = { exitCode: 0, isOutOfMemory: false, isLost: false }

/**
 * How long the end may take to be known once the output is over. Later, the connection may have been
 * lost before the output was: then all of it is read again, which takes the engine long when it is much.
 */
const MOMENT_MS = 250

const exitSchema = z.object({ StatusCode: z.number() })

/**
 * Asks for the next exit of a container that was not started yet. Resolves when the engine listens
 * for it: asked after the start, a short command would have ended before.
 */
export async function watchNextExit(container: Docker.Container): Promise<{ exit: Exit }> {
  const answer = await openWait(container)
  const read = async (): Exit => {
    let text = ''
    for await (const bytes of answer) text += String(bytes)
    return exitSchema.parse(JSON.parse(text)).StatusCode
  }
  const exit = read()
  exit.catch(() => undefined) // whoever waits gets it
  return { exit }
}

/** The engine answers with its headers at once and with the code at the end; dockerode reads to the end. */
function openWait({ id, modem }: Docker.Container): Promise<AsyncIterable<unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<AsyncIterable<unknown>>()
  const request = {
    path: `/containers/${id}/wait?`,
    method: 'POST',
    isStream: true,
    options: { _query: { condition: 'next-exit' }, _body: {} },
    statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
  }
  modem.dial(request, (error: Error | null, answer: AsyncIterable<unknown>) => {
    if (error) reject(error)
    else resolve(answer)
  })
  return promise
}

/** Repeats a question until the engine answers. */
export async function patiently<Value>(
  ask: () => Promise<Value>,
  onAway: (error: unknown) => void = () => undefined,
): Promise<Value> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isEngineLost(error) || Date.now() > deadline) throw error
      onAway(error)
      await sleep(RETRY_MS)
    }
  }
}
