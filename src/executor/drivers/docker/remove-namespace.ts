import { removeContainer } from './docker-container.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import type { RemoveOptions } from '../driver.js'
import { INSTANCE_LABEL, NAMESPACE_LABEL } from './names.js'
import type { DockerHost } from './start-container.js'

/**
 * Kills and removes all that carries the label of a namespace, unless it is another instance's.
 * Throws an AggregateError at the end.
 */
export async function removeNamespace(
  { docker, names }: DockerHost,
  { keepsVolumes = false }: RemoveOptions,
): Promise<void> {
  const filters = { label: [`${NAMESPACE_LABEL}=${names.namespace}`] }
  const errors: unknown[] = []
  // what an older version has made says nothing of its instance
  const isOurs = ({ Labels: labels }: { Labels?: Record<string, string> | undefined }): boolean =>
    (labels?.[INSTANCE_LABEL] ?? names.instance) === names.instance
  const attempt = async (remove: () => Promise<unknown>): Promise<void> => {
    try {
      await remove()
    } catch (error) {
      errors.push(error)
    }
  }
  try {
    const containers = await docker.listContainers({ all: true, filters })
    for (const { Id: id } of containers.filter(isOurs))
      await attempt(() => removeContainer(docker.getContainer(id)))
    const { Volumes: volumes } = keepsVolumes ? NO_VOLUMES : await docker.listVolumes({ filters })
    for (const { Name: name } of (volumes ?? []).filter(isOurs))
      await attempt(() => removeVolume(docker.getVolume(name)))
    for (const { Id: id } of (await docker.listNetworks({ filters })).filter(isOurs))
      await attempt(() => removeNetwork(docker.getNetwork(id)))
  } catch (error) {
    errors.push(toDriverError(error, 'container_failed', 'listing what the run made'))
  }
  if (errors.length > 0)
    throw new AggregateError(errors, `could not remove all of ${names.namespace}`)
}

const NO_VOLUMES = { Volumes: [] }

async function removeVolume(volume: {
  remove(options: { force: boolean }): Promise<unknown>
}): Promise<void> {
  try {
    await volume.remove({ force: true })
  } catch (error) {
    if (statusOf(error) !== 404) throw toDriverError(error, 'volume_failed', 'removing a volume')
  }
}

async function removeNetwork(network: { remove(): Promise<unknown> }): Promise<void> {
  try {
    await network.remove()
  } catch (error) {
    if (statusOf(error) !== 404)
      throw toDriverError(error, 'container_failed', 'removing a network')
  }
}
