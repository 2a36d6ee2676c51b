import { removeContainer } from './docker-container.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import { NAMESPACE_LABEL } from './names.js'
import type { DockerHost } from './start-container.js'

/** Kills and removes all that carries the label of a namespace. Throws an AggregateError at the end. */
export async function removeNamespace({ docker, names }: DockerHost): Promise<void> {
  const filters = { label: [`${NAMESPACE_LABEL}=${names.namespace}`] }
  const errors: unknown[] = []
  const attempt = async (remove: () => Promise<unknown>): Promise<void> => {
    try {
      await remove()
    } catch (error) {
      errors.push(error)
    }
  }
  try {
    const containers = await docker.listContainers({ all: true, filters })
    for (const { Id: id } of containers)
      await attempt(() => removeContainer(docker.getContainer(id)))
    const { Volumes: volumes } = await docker.listVolumes({ filters })
    for (const { Name: name } of volumes ?? [])
      await attempt(() => removeVolume(docker.getVolume(name)))
  } catch (error) {
    errors.push(toDriverError(error, 'container_failed', 'listing what the run made'))
  }
  if (errors.length > 0)
    throw new AggregateError(errors, `could not remove all of ${names.namespace}`)
}

async function removeVolume(volume: {
  remove(options: { force: boolean }): Promise<unknown>
}): Promise<void> {
  try {
    await volume.remove({ force: true })
  } catch (error) {
    if (statusOf(error) !== 404) throw toDriverError(error, 'volume_failed', 'removing a volume')
  }
}
