import type { Container, Driver } from '../driver.js'
import { openContainer } from './docker-container.js'
import {
  checkEngine,
  connectEngine,
  statusOf,
  toDriverError,
  type EngineOptions,
} from '../../../shared/docker/engine.js'
import { namesOf } from './names.js'
import { removeNamespace } from './remove-namespace.js'
import { startSandbox } from './sandboxes.js'
import { startContainer, type DockerHost } from './start-container.js'
import { createVolume, listVolumes, readArchive, readVolumeFiles, writeArchive } from './volumes.js'

export interface DockerDriverOptions extends EngineOptions {
  namespace: string
  /** Whose run it is: see names.ts. */
  instance: string
  allowsPrivileged: boolean
}

/**
 * Containers of a Docker engine, by its API alone. Throws `driver_unavailable` when no engine
 * answers, `driver_config_invalid` for an address that is none.
 */
export async function openDockerDriver(options: DockerDriverOptions): Promise<Driver> {
  const docker = connectEngine(options)
  await checkEngine(docker, options.host)
  const { allowsPrivileged, namespace, instance } = options
  const host: DockerHost = { docker, names: namesOf(namespace, instance), allowsPrivileged }
  const starts = new Map<string, Promise<Container>>()

  return {
    name: 'docker',
    run(spec, signal) {
      const started =
        starts.get(spec.id) ??
        startNamed(host, spec.id, (name) => startContainer(host, { name, spec, signal }))
      starts.set(spec.id, started)
      started.catch(() => starts.delete(spec.id)) // the caller gets the error
      return started
    },
    find: (id) => findContainer(host, id),
    createVolume: (spec) => createVolume(host, spec),
    readFiles: (volume, paths) => readVolumeFiles(host, volume, paths),
    writeArchive: (volume, tar, signal) => writeArchive(host, volume, tar, signal),
    readArchive: (volume, signal) => readArchive(host, volume, signal),
    startSandbox: (spec, signal) => startSandbox(host, spec, signal),
    listVolumes: () => listVolumes(host),
    async removeAll(options = {}) {
      await Promise.allSettled(starts.values())
      starts.clear()
      await removeNamespace(host, options)
    },
    async [Symbol.asyncDispose]() {
      starts.clear()
    },
  }
}

/** A name that is none rejects, as everything else does. */
async function startNamed(
  { names }: DockerHost,
  id: string,
  start: (name: string) => Promise<Container>,
): Promise<Container> {
  return start(names.container(id))
}

async function findContainer(
  { docker, names }: DockerHost,
  id: string,
): Promise<Container | undefined> {
  const container = docker.getContainer(names.container(id))
  try {
    const { State: state } = await container.inspect()
    // its start never came to its end: it has not run
    return state.Status === 'created' ? undefined : openContainer({ id, docker, container })
  } catch (error) {
    if (statusOf(error) === 404) return undefined
    throw toDriverError(error, 'container_failed', 'looking for a container')
  }
}
