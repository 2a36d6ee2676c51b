import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExitStatus } from '../driver.js'
import { isEngineLost, statusOf, toDriverError } from '../../../shared/docker/engine.js'

/** How a container ends, as the engine knows it, across restarts of the engine. */
export interface End {
  /** The same answer at each call. */
  wait(): Promise<ExitStatus>
  /** True when it has ended and its engine was there all the time. */
  isReached(): Promise<boolean>
}

/** How often an engine that is away is asked, and for how long before its steps are given up. */
const RETRY_MS = 500
const PATIENCE_MS = 600_000

/** How a process ends that an engine kills when it stops. */
const KILLED = new Set([137, 143, 255])

/** To be made after the start: before it, a container counts as not running. */
export function createEnd(container: Docker.Container): End {
  let settled: Promise<ExitStatus> | undefined
  let wasAway = false
  const onAway = (): void => {
    wasAway = true
  }

  const settle = async (): Promise<ExitStatus> => {
    try {
      await patiently(() => container.wait({ condition: 'not-running' }), onAway)
      const { State: state } = await patiently(() => container.inspect(), onAway)
      const isKilled = KILLED.has(state.ExitCode) && !state.OOMKilled
      return {
        exitCode: state.ExitCode,
        isOutOfMemory: state.OOMKilled,
        isLost: state.Status === 'created' || (wasAway && isKilled),
      }
    } catch (error) {
      // somebody has removed it
      if (statusOf(error) === 404) return { exitCode: 255, isOutOfMemory: false, isLost: true }
      throw toDriverError(error, 'container_failed', 'waiting for a container')
    }
  }

  return {
    wait: () => (settled ??= settle()),
    async isReached() {
      const { State: state } = await patiently(() => container.inspect(), onAway)
      return !state.Running && !wasAway
    },
  }
}

/** Repeats a question until the engine answers. */
export async function patiently<Value>(
  ask: () => Promise<Value>,
  onAway: () => void = () => undefined,
): Promise<Value> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isEngineLost(error) || Date.now() > deadline) throw error
      onAway()
      await sleep(RETRY_MS)
    }
  }
}
