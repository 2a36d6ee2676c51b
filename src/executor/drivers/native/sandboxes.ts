import { join } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { ExecSpec, Sandbox, SandboxSpec } from '../driver.js'
import { processesIn } from './cgroups.js'
import type { Containers } from './containers.js'
import type { NativeHost } from './host.js'
import type { PlacedCommand } from './launch.js'
import { prepareMounts } from './mounts.js'
import {
  execPlaceOf,
  makeControlDir,
  placeOf,
  preparePlace,
  resolveWorkDir,
  type Place,
} from './places.js'
import { findProcesses, killAll } from './processes.js'
import { removeTree } from './remove-tree.js'
import type { Volumes } from './volumes.js'

/**
 * A sandbox is a work dir, its groups and its mounts, without a process of its own. What an exec
 * leaves running runs until the sandbox is removed.
 */
export async function startSandbox(
  { host, volumes, containers }: { host: NativeHost; volumes: Volumes; containers: Containers },
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Sandbox> {
  if (signal.aborted) throw new AppError('aborted', 'the start was aborted')
  spec.beforeStart?.()
  const sandbox = placeOf(host, spec.id)
  makeControlDir(host, join(sandbox.controlDir, 'exec'))
  const cgroup = preparePlace(host, sandbox, spec)
  const sources = volumes.sourcesOf(spec.mounts)
  // faults show now, not at the first exec
  prepareMounts(host, sandbox.workDir, sources)
  resolveWorkDir(sandbox, spec.workDir)

  const toCommand = (place: Place, exec: ExecSpec): PlacedCommand => ({
    command: exec.command,
    env: { ...spec.env, ...exec.env },
    workDir: resolveWorkDir(place, exec.workDir ?? spec.workDir),
    stdin: exec.stdin,
    mounts: prepareMounts(host, place.workDir, sources),
    cgroup,
  })
  return {
    id: spec.id,
    async exec(exec, signal) {
      const place = execPlaceOf(sandbox, exec.id)
      const [commandName] = exec.command
      const prepare = (): PlacedCommand => toCommand(place, exec)
      const { beforeStart } = exec
      return containers.start({ place, commandName, prepare, beforeStart, signal })
    },
    remove: () => removeSandbox(host, sandbox),
  }
}

async function removeSandbox(host: NativeHost, sandbox: Place): Promise<void> {
  const prefix = `${sandbox.marker}/`
  const cgroup = host.cgroups.find(sandbox.id)
  await killAll(() => [
    ...processesIn(cgroup),
    ...findProcesses({
      hasMarker: (value) => value.startsWith(prefix),
      includesWrappers: true,
      sessions: new Set(),
    }),
  ])
  await host.cgroups.remove(cgroup)
  await removeTree(host, [sandbox.controlDir, sandbox.workDir])
}
