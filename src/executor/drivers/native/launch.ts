import { closeSync, fchownSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { Cgroup } from './cgroups.js'
import type { NativeHost } from './host.js'
import { controlFiles, type ControlFiles } from './layout.js'
import type { BindMount } from './mounts.js'
import type { Place } from './places.js'
import { INSTANCE, MARKER } from './processes.js'
import { BIND_MOUNTS, RESERVED_ENV, WRAPPER, envSlot, shim } from './wrapper.js'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The unit of `ulimit -f`. */
const BLOCK_BYTES = 512

/** One command with all that it needs, resolved. */
export interface PlacedCommand {
  command: readonly [string, ...string[]]
  env: Readonly<Record<string, string>>
  /** Absolute. */
  workDir: string
  stdin: string | undefined
  mounts: readonly BindMount[]
  cgroup: Cgroup
}

/**
 * Starts the wrapper of a command in a session of its own, tied to nothing of this process. The
 * control files say how it went; `onEnd` tells of its end early.
 */
export function launch(
  host: NativeHost,
  place: Place,
  command: PlacedCommand,
  onEnd: (error?: Error) => void,
): void {
  const files = controlFiles(place.controlDir)
  const env = toSlots(envOf(host, place, command))
  for (const path of [files.stdout, files.stderr]) closeSync(openSync(path, 'a', 0o600))
  const inputPath = command.stdin === undefined ? undefined : writeInput(host, files, command.stdin)
  const args = [
    ...wrapperArgs(host, place, command),
    ...bindArgs(host, command.mounts),
    ...[host.tools.setsid, ...dropArgs(host)],
    ...[host.tools.sh, '-c', shim(Object.keys(env).length), 'pocketci'],
    ...[command.workDir, ...command.command],
  ]
  host.startProcess(
    { file: host.tools.sh, args, env, ...(inputPath !== undefined && { inputPath }) },
    onEnd,
  )
}

function envOf(
  { instance }: NativeHost,
  { marker, workDir }: Place,
  { env }: PlacedCommand,
): [string, string][] {
  for (const name of Object.keys(env))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || RESERVED_ENV.test(name))
      throw new AppError(
        'container_failed',
        `the native driver cannot set the environment variable "${name.slice(0, 100)}": its name has to be letters, digits and "_", and not begin with "pocketci_"`,
      )
  const defaults = { PATH: DEFAULT_PATH, HOME: workDir, LANG: 'C.UTF-8' }
  return Object.entries({ ...defaults, ...env, [MARKER]: marker, [INSTANCE]: instance })
}

function toSlots(env: readonly [string, string][]): Record<string, string> {
  return Object.fromEntries(env.map(([name, value], index) => [envSlot(index), `${name}=${value}`]))
}

/** Whoever starts the wrapper takes away its name: nothing of the input stays on disk. */
function writeInput({ stepUser }: NativeHost, files: ControlFiles, text: string): string {
  const path = join(files.dir, `stdin-${process.pid}-${Math.random().toString(36).slice(2)}`)
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(fd, text)
    // it can be opened again as /dev/stdin
    if (stepUser) fchownSync(fd, stepUser.uid, stepUser.gid)
  } finally {
    closeSync(fd)
  }
  return path
}

function wrapperArgs(
  { tools, stepUser, outputBytes }: NativeHost,
  { controlDir, isExec }: Place,
  { cgroup }: PlacedCommand,
): string[] {
  const [cgroup1 = '', cgroup2 = '', cgroup3 = ''] = cgroup.dirs
  return [
    ...['-c', WRAPPER, 'pocketci', controlDir, String(Math.ceil(outputBytes / BLOCK_BYTES))],
    ...[stepUser ? String(stepUser.uid) : '', isExec ? 'keep' : ''],
    ...[tools.tee, tools.wc, tools.chown ?? '', cgroup.memoryEvents],
    ...[cgroup1, cgroup2, cgroup3],
  ]
}

function bindArgs({ tools }: NativeHost, mounts: readonly BindMount[]): string[] {
  if (mounts.length === 0) return []
  const { unshare = '', mount = '', sh } = tools
  const pairs = mounts.flatMap(({ target, source }) => [target, source])
  const script = ['-c', BIND_MOUNTS, 'pocketci', mount, String(mounts.length), ...pairs]
  return [unshare, '--mount', '--', sh, ...script]
}

/** No capability and no way to gain any, by a setuid program either. */
export function dropArgs({ tools, stepUser }: NativeHost): string[] {
  if (!stepUser) return []
  const ids = ['--reuid', String(stepUser.uid), '--regid', String(stepUser.gid), '--clear-groups']
  const caps = ['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']
  return [tools.setpriv ?? '', ...ids, ...caps, '--']
}
