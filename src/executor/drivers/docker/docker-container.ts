import type Docker from 'dockerode'
import type { AppError } from '../../../shared/errors.js'
import type { Container } from '../driver.js'
import { isWithin, unlessAborted } from '../../../shared/wait.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import { readAttached, readLog } from './read-output.js'
import { createEnd, type Exit } from './wait-for-end.js'

const GRACE_MS = 5_000

export interface ContainerOptions {
  id: string
  docker: Docker
  container: Docker.Container
  /** The live output of a container that was just started; the first reader takes it. */
  attached?: NodeJS.ReadWriteStream
  /** Its exit code, when it was asked for before the start. */
  exit?: Exit
}

/** A container that was started, by whichever executor: all is asked of the engine. */
export function openContainer(options: ContainerOptions): Container {
  const { id, docker, container, attached, exit } = options
  const end = createEnd({ docker, container, exit })
  let live = attached

  return {
    id,

    async *output({ from = { stdout: 0, stderr: 0 }, signal, onAway } = {}) {
      const position = { ...from }
      const isStart = from.stdout === 0 && from.stderr === 0
      const source = isStart ? live : undefined
      if (source) {
        live = undefined
        yield* readAttached(source, position, signal)
        if (signal?.aborted || (await end.isReached(signal)) || signal?.aborted) return
      }
      // a later reader, or the rest of what a lost connection kept back
      yield* readLog({ container, end, position, signal, onAway })
    },

    wait: (signal) => unlessAborted(end.wait(), signal),

    async kill(graceMs = GRACE_MS) {
      end.expectKill()
      const ended = end.wait()
      await sendSignal(container, 'SIGTERM')
      if (await isWithin(ended, graceMs)) return
      await sendSignal(container, 'SIGKILL')
      await ended
    },

    async remove() {
      end.expectKill()
      await removeContainer(container)
      discard(live)
      live = undefined
    },
  }
}

/** Kills and removes it with its anonymous volumes; one that is gone is no failure. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true })
  } catch (error) {
    if (statusOf(error) === 404) return
    // another removal is at it
    if (statusOf(error) !== 409) throw failed(error, 'removing a container')
    await container.wait({ condition: 'removed' }).catch((gone: unknown) => {
      if (statusOf(gone) !== 404) throw failed(gone, 'removing a container')
    })
  }
}

async function sendSignal(container: Docker.Container, signal: string): Promise<void> {
  try {
    await container.kill({ signal })
  } catch (error) {
    // it has ended, or is gone
    if (statusOf(error) !== 409 && statusOf(error) !== 404) throw failed(error, `sending ${signal}`)
  }
}

/** A stream that nobody will read would keep its connection. */
function discard(stream: NodeJS.ReadWriteStream | undefined): void {
  if (stream && 'destroy' in stream && typeof stream.destroy === 'function') stream.destroy()
}

function failed(error: unknown, what: string): AppError {
  return toDriverError(error, 'container_failed', what)
}
