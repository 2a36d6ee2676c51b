import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, realpathSync } from 'node:fs'
import type { Logger } from '../../../shared/logger.js'
import { findTools, type Tools } from '../../../shared/native-host/find-tools.js'
import {
  checkReachable,
  getStepUser,
  type StepUser,
} from '../../../shared/native-host/step-user.js'
import type { ContainerSpec, Driver } from '../driver.js'
import { readArchive, writeArchive } from './archives.js'
import { openCgroups } from './cgroups.js'
import { createContainers } from './containers.js'
import type { NativeHost } from './host.js'
import type { PlacedCommand } from './launch.js'
import { layoutOf } from './layout.js'
import { prepareMounts } from './mounts.js'
import { placeOf, preparePlace, resolveWorkDir, type Place } from './places.js'
import { removeNamespace } from './remove-namespace.js'
import { startSandbox } from './sandboxes.js'
import { startProcess, type StartProcess } from './start-process.js'
import { readVolumeFiles } from './volume-files.js'
import { createVolumes, type Volumes } from './volumes.js'

export interface NativeDriverOptions {
  /** Absolute path of the folder that all runs share. */
  root: string
  namespace: string
  /** Whose run it is. */
  instance: string
  /** Who steps run as when the executor is root: a local user or a number. */
  user: string
  /** Output kept of each stream of a container. */
  outputBytes: number
  logger: Logger
  /** Starts wrappers; by default this process does. */
  startProcess?: StartProcess
  /** Where the system mounts control groups. */
  cgroupRoot?: string
}

/**
 * Containers that are plain processes of this host: no image, no isolation but that of users. See
 * docs/drivers.md for what it protects and what not. Throws `native_user_unknown`,
 * `driver_unavailable`.
 */
export async function openNativeDriver(options: NativeDriverOptions): Promise<Driver> {
  const host = openHost(options)
  const volumes = createVolumes(host)
  const containers = createContainers(host)
  return {
    name: 'native',
    async run(spec, signal) {
      const place = placeOf(host, spec.id)
      const [commandName] = spec.command
      const prepare = (): PlacedCommand => prepareCommand({ host, volumes }, place, spec)
      const { beforeStart } = spec
      return containers.start({ place, commandName, prepare, beforeStart, signal })
    },
    find: async (id) => containers.find(placeOf(host, id)),
    createVolume: async (spec) => volumes.create(spec),
    async *readFiles(volume, paths) {
      yield* readVolumeFiles(volumes.get(volume), paths)
    },
    // a volume that is not there rejects, as everything else does
    writeArchive: async (volume, tar, signal) =>
      writeArchive(host, volumes.get(volume), tar, signal),
    async *readArchive(volume, signal) {
      yield* readArchive(host, volumes.get(volume), signal)
    },
    startSandbox: (spec, signal) => startSandbox({ host, volumes, containers }, spec, signal),
    listVolumes: async () => volumes.list(),
    async removeAll(options = {}) {
      await containers.settleStarts()
      containers.release()
      await removeNamespace(host, options)
    },
    async [Symbol.asyncDispose]() {
      containers.release()
    },
  }
}

function prepareCommand(
  { host, volumes }: { host: NativeHost; volumes: Volumes },
  place: Place,
  spec: ContainerSpec,
): PlacedCommand {
  const workDir = resolveWorkDir(place, spec.workDir)
  const cgroup = preparePlace(host, place, spec)
  const mounts = prepareMounts(host, place.workDir, volumes.sourcesOf(spec.mounts))
  return { command: spec.command, env: spec.env, stdin: spec.stdin, workDir, mounts, cgroup }
}

function openHost(options: NativeDriverOptions): NativeHost {
  const { root, namespace, instance, outputBytes, logger, cgroupRoot = '/sys/fs/cgroup' } = options
  const stepUser = process.getuid?.() === 0 ? stepUserOf(options.user, logger) : undefined
  const tools = findTools(stepUser !== undefined)
  const layout = layoutOf(makeRoot(root, stepUser), namespace)
  let canBind: boolean | undefined
  return {
    layout,
    instance,
    tools,
    stepUser,
    outputBytes,
    logger,
    startProcess: options.startProcess ?? startProcess,
    cgroups: openCgroups(cgroupRoot, namespace),
    canBind: () => (canBind ??= process.getuid?.() === 0 && canUnshare(tools)),
  }
}

/** Undefined for root itself: then there is nothing to drop. */
function stepUserOf(name: string, logger: Logger): StepUser | undefined {
  const user = getStepUser(name)
  if (user.uid !== 0) return user
  logger.warn({ user: name }, 'native steps run as root')
  return undefined
}

/** The real path of the root, which steps may enter but not list. */
function makeRoot(root: string, stepUser: StepUser | undefined): string {
  if (!existsSync(root)) {
    mkdirSync(root, { recursive: true, mode: 0o711 })
    // whatever the umask says
    chmodSync(root, 0o711)
  }
  const path = realpathSync(root)
  if (stepUser) checkReachable(path, stepUser)
  return path
}

/** Containers without the right to mount have root as well. */
function canUnshare({ unshare, mount, sh }: Tools): boolean {
  if (!unshare || !mount) return false
  return spawnSync(unshare, ['--mount', '--', sh, '-c', ':'], { env: {} }).status === 0
}
