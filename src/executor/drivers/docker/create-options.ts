import type Docker from 'dockerode'
import { isAbsolute, posix } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { ContainerSpec, Mount } from '../driver.js'
import type { Names } from './names.js'

/** Docker's default capabilities less NET_RAW (forged packets) and MKNOD (devices). */
const DROPPED = ['NET_RAW', 'MKNOD']
/** Enough for any build, and a fork bomb stays in its container. */
const MAX_PIDS = 512

export interface CreateInput {
  name: string
  names: Names
  spec: ContainerSpec
  /** Whether the operator allows privileged containers. */
  allowsPrivileged: boolean
}

/** What the engine is told of a container. Throws `container_failed` for what it may not have. */
export function createOptions(input: CreateInput): Docker.ContainerCreateOptions {
  const { name, names, spec, allowsPrivileged } = input
  if (spec.privileged && !allowsPrivileged)
    throw new AppError(
      'container_failed',
      'privileged containers are not allowed on this server; its operator allows them with --allow-privileged',
    )
  const base = `/tmp/${name}`
  const hasInput = spec.stdin !== undefined
  return {
    name,
    Image: spec.image,
    // the image's own entrypoint never runs
    Entrypoint: [''],
    Cmd: [...spec.command],
    Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
    WorkingDir: placeOf(base, spec.workDir ?? '.'),
    ...(spec.user && { User: spec.user }),
    Labels: { ...names.labels, 'pocketci.step': spec.id },
    Tty: false,
    AttachStdin: hasInput,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: hasInput,
    StdinOnce: hasInput,
    HostConfig: {
      ...hostConfig(spec),
      Mounts: spec.mounts.map((mount) => toMount(base, names, mount)),
    },
  }
}

function hostConfig({ privileged, limits = {} }: ContainerSpec): Docker.HostConfig {
  const { cpu, memory } = limits
  return {
    // of all log drivers only this one keeps bytes as they are; how much is kept is cut off later
    LogConfig: {
      Type: 'local',
      Config: { 'max-size': '1000g', 'max-file': '1', compress: 'false' },
    },
    PidsLimit: MAX_PIDS,
    ...(privileged
      ? { Privileged: true }
      : { CapDrop: DROPPED, SecurityOpt: ['no-new-privileges'] }),
    ...(cpu && { CpuShares: cpu }),
    // no swap on top: the limit is the limit
    ...(memory && { Memory: memory, MemorySwap: memory }),
  }
}

/** Relative: below the default work dir. Absolute: exactly there. */
function placeOf(base: string, path: string): string {
  const place = posix
    .normalize(isAbsolute(path) ? path : posix.join(base, path))
    .replace(/(.)\/$/, '$1')
  if (isAbsolute(path) || place === base || place.startsWith(`${base}/`)) return place
  throw new AppError(
    'container_failed',
    `the path "${path.slice(0, 200)}" leads out of the default work dir`,
  )
}

function toMount(base: string, names: Names, { volume, path }: Mount): Docker.MountSettings {
  return {
    Type: 'volume',
    Source: names.volume(volume),
    Target: placeOf(base, path),
    VolumeOptions: {
      Labels: names.labels,
      NoCopy: true,
      DriverConfig: { Name: 'local', Options: {} },
    },
  }
}
