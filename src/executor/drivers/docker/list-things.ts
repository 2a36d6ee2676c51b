import { z } from 'zod'
import {
  checkEngine,
  connectEngine,
  toDriverError,
  type EngineOptions,
} from '../../../shared/docker/engine.js'
import type { OwnedThing } from '../owned-thing.js'
import { INSTANCE_LABEL, RUN_LABEL } from './names.js'

const labelsSchema = z.record(z.string(), z.string()).nullish()

/** All that an engine holds for runs of an instance. Throws `driver_unavailable`. */
export async function listDockerThings(
  options: EngineOptions,
  instance: string,
): Promise<OwnedThing[]> {
  const docker = connectEngine(options)
  await checkEngine(docker, options.host)
  const filters = { label: [`${INSTANCE_LABEL}=${instance}`] }
  const toThing = (kind: OwnedThing['kind'], name: string, found: unknown): OwnedThing[] => {
    const labels = labelsSchema.parse(found)
    const runId = labels?.[RUN_LABEL]
    const isOurs = labels?.[INSTANCE_LABEL] === instance && runId !== undefined
    return isOurs ? [{ runId, kind, name }] : []
  }
  try {
    const containers = await docker.listContainers({ all: true, filters })
    const { Volumes: volumes } = await docker.listVolumes({ filters })
    const networks = await docker.listNetworks({ filters })
    return [
      ...containers.flatMap(({ Names: [name = ''], Labels }) =>
        toThing('container', name.replace(/^\//, ''), Labels),
      ),
      ...(volumes ?? []).flatMap(({ Name, Labels }) => toThing('volume', Name, Labels)),
      ...networks.flatMap(({ Name, Labels }) => toThing('network', Name, Labels)),
    ]
  } catch (error) {
    throw toDriverError(error, 'container_failed', 'listing what runs have made')
  }
}
