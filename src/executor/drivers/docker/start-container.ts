import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, hasCode } from '../../../shared/errors.js'
import type { Container, ContainerSpec } from '../driver.js'
import { createOptions } from './create-options.js'
import { openContainer, removeContainer } from './docker-container.js'
import {
  engineMessage,
  isEngineLost,
  statusOf,
  toDriverError,
} from '../../../shared/docker/engine.js'
import { pullImage } from './images.js'
import type { Names } from './names.js'
import { watchNextExit } from './wait-for-end.js'

export interface DockerHost {
  docker: Docker
  names: Names
  allowsPrivileged: boolean
}

export interface StartOptions {
  /** Its exact name in the engine. */
  name: string
  spec: ContainerSpec
  signal: AbortSignal
}

/**
 * Creates and starts a container, or returns the one of that name. One that was started is never
 * started again, for the engine would run its command once more.
 */
export async function startContainer(host: DockerHost, options: StartOptions): Promise<Container> {
  const { name, spec, signal } = options
  if (signal.aborted) throw aborted()
  spec.beforeStart?.()
  const { container, isNew } = await createOrFind(host, options)
  try {
    if (signal.aborted) throw aborted()
    if (!isNew && (await wasStarted(container)))
      return openContainer({ id: spec.id, docker: host.docker, container })
    return await startCreated(host.docker, container, spec)
  } catch (refusal) {
    if (TASK_THERE.test(engineMessage(refusal))) {
      await removeContainer(container)
      throw new AppError(
        'driver_unavailable',
        'start container: the Docker engine went away in the middle of it',
        { cause: refusal },
      )
    }
    const error = await causeOf(host.docker, refusal)
    // unless the engine is away, or the run is another executor's: then the next one finds it
    if (!isEngineLost(error) && !hasCode(error, 'lease_lost'))
      await removeContainer(host.docker.getContainer(name))
    throw startError(error, spec)
  }
}

async function createOrFind(
  host: DockerHost,
  { name, spec, signal }: StartOptions,
): Promise<{ container: Docker.Container; isNew: boolean }> {
  const { docker, names, allowsPrivileged } = host
  const options = createOptions({ name, names, spec, allowsPrivileged })
  for (let isPulled = false; ; isPulled = true) {
    try {
      const container = await docker.createContainer({ ...options, abortSignal: signal })
      return { container, isNew: true }
    } catch (error) {
      if (signal.aborted) throw aborted()
      // the name is taken: by this very step, at an earlier try
      if (statusOf(error) === 409) return { container: docker.getContainer(name), isNew: false }
      if (statusOf(error) !== 404 || isPulled)
        throw toDriverError(await causeOf(docker, error), 'container_failed', 'create container')
      await pullImage(docker, spec.image, { onProgress: spec.onProgress, signal })
    }
  }
}

async function wasStarted(container: Docker.Container): Promise<boolean> {
  const { State: state } = await container.inspect()
  return state.Status !== 'created'
}

/** Attached and waited for before the start, so that nothing is missed; the input is written behind it. */
async function startCreated(
  docker: Docker,
  container: Docker.Container,
  spec: ContainerSpec,
): Promise<Container> {
  const hasInput = spec.stdin !== undefined
  const [attached, { exit }] = await Promise.all([
    container.attach({
      stream: true,
      hijack: hasInput,
      stdin: hasInput,
      stdout: true,
      stderr: true,
    }),
    watchNextExit(container),
  ])
  spec.beforeStart?.()
  // a connection that breaks later is noticed by its reader, if there is one
  attached.on('error', () => undefined)
  await container.start()
  // a command that does not read its input, or ends before, is no failure
  if (spec.stdin !== undefined) attached.end(spec.stdin)
  return openContainer({ id: spec.id, docker, container, attached, exit })
}

/**
 * An engine went away in the middle of the start, and takes it for one that never was. Nobody knows
 * whether the command had begun: what there is of it is taken away, and it is started anew.
 */
const TASK_THERE = /task \w+: already exists|id already in use|start shim: mkdir .*: file exists/

/**
 * An engine that stops refuses for reasons of its own, before it is gone: then that it goes is the
 * cause. Whoever gets another answer waits for some seconds in vain.
 */
async function causeOf(docker: Docker, error: unknown): Promise<unknown> {
  if ((statusOf(error) ?? 0) < 500 || NOT_FOUND.test(engineMessage(error))) return error
  const deadline = Date.now() + LAST_WORDS_MS
  for (;;) {
    const gone = await docker.ping().then(
      () => undefined,
      (failure: unknown) => failure,
    )
    if (gone !== undefined && isEngineLost(gone)) return gone
    if (Date.now() > deadline) return error
    await sleep(PING_MS)
  }
}

/** How long an engine answers that has let go of its containers. */
const LAST_WORDS_MS = 3_000
const PING_MS = 200

/** What the engine says when there is no such program in the image. */
const NOT_FOUND =
  /exec(?::| ).*(?:executable file not found|no such file or directory|permission denied|is a directory)|stat .*: no such file or directory/s

function startError(error: unknown, spec: ContainerSpec): AppError {
  if (error instanceof AppError) return error
  const [command] = spec.command
  if (!isEngineLost(error) && NOT_FOUND.test(engineMessage(error)))
    return new AppError(
      'command_not_found',
      `command not found or not executable in image "${spec.image.slice(0, 200)}": "${command.slice(0, 200)}"`,
      { cause: error, details: { command: command.slice(0, 200) } },
    )
  return toDriverError(error, 'container_failed', 'start container')
}

function aborted(): AppError {
  return new AppError('aborted', 'the start was aborted')
}
