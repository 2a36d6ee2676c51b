import type { Flag, FlagTable, GivenFlags } from '../config/flag.js'
import { text } from '../config/kinds.js'
import { usageError } from './report-error.js'

/** Settings of the driver that a pipeline names. Those of drivers that come later are refused. */
export const DRIVER_FLAGS = {
  'docker-host': {
    kind: text,
    env: 'CI_DOCKER_HOST',
    doc: 'with --driver docker: the engine that runs its steps',
    group: 'Driver settings',
  },
  'hetzner-token': later('hetzner', 'CI_HETZNER_TOKEN', 'API token'),
  'hetzner-image': later('hetzner', 'CI_HETZNER_IMAGE', 'image of machines'),
  'hetzner-server-type': later('hetzner', 'CI_HETZNER_SERVER_TYPE', 'type of machines'),
  'hetzner-location': later('hetzner', 'CI_HETZNER_LOCATION', 'location'),
  'hetzner-max-workers': later('hetzner', 'CI_HETZNER_MAX_WORKERS', 'machines at most'),
  'hetzner-reuse-worker': later('hetzner', 'CI_HETZNER_REUSE_WORKER', 'use machines again'),
  'digitalocean-token': later('digitalocean', 'CI_DIGITALOCEAN_TOKEN', 'API token'),
  'digitalocean-image': later('digitalocean', 'CI_DIGITALOCEAN_IMAGE', 'image of machines'),
  'digitalocean-size': later('digitalocean', 'CI_DIGITALOCEAN_SIZE', 'size of machines'),
  'digitalocean-region': later('digitalocean', 'CI_DIGITALOCEAN_REGION', 'region'),
  'digitalocean-max-workers': later(
    'digitalocean',
    'CI_DIGITALOCEAN_MAX_WORKERS',
    'machines at most',
  ),
  'digitalocean-reuse-worker': later(
    'digitalocean',
    'CI_DIGITALOCEAN_REUSE_WORKER',
    'use machines again',
  ),
  'fly-token': later('fly', 'CI_FLY_TOKEN', 'API token'),
  'fly-app': later('fly', 'CI_FLY_APP', 'app'),
  'fly-region': later('fly', 'CI_FLY_REGION', 'region'),
  'fly-org': later('fly', 'CI_FLY_ORG', 'organization'),
  'fly-size': later('fly', 'CI_FLY_SIZE', 'size of machines'),
  'k8s-kubeconfig': later('k8s', 'CI_K8S_KUBECONFIG', 'kubeconfig'),
  'k8s-namespace': later('k8s', 'CI_K8S_NAMESPACE', 'namespace'),
  'qemu-memory': later('qemu', 'CI_QEMU_MEMORY', 'memory'),
  'qemu-cpus': later('qemu', 'CI_QEMU_CPUS', 'processors'),
  'qemu-accel': later('qemu', 'CI_QEMU_ACCEL', 'accelerator'),
  'qemu-image': later('qemu', 'CI_QEMU_IMAGE', 'disk image'),
  'qemu-binary': later('qemu', 'CI_QEMU_BINARY', 'program'),
  'qemu-cache-dir': later('qemu', 'CI_QEMU_CACHE_DIR', 'folder of images'),
} as const satisfies FlagTable

export interface DriverSettings {
  driver: string | undefined
  dockerHost: string | undefined
  given: GivenFlags
}

/**
 * What is sent as `driver_config`; undefined leaves what the pipeline has. A variable for another
 * driver has no say, but a flag for one is a mistake.
 */
export function driverConfigOf({
  driver,
  dockerHost,
  given,
}: DriverSettings): Record<string, string> | undefined {
  if (driver === 'docker') return dockerHost ? { host: dockerHost } : undefined
  if (given['docker-host']) throw usageError('--docker-host is for --driver docker alone')
  return undefined
}

function later(driver: string, env: string, doc: string): Flag<string> {
  return {
    kind: text,
    env,
    doc: `driver ${driver}: ${doc}`,
    group: 'Driver settings',
    later: `leave it out; there is no driver ${driver} yet`,
  }
}
