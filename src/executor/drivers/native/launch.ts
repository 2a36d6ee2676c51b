import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, unlinkSync, fchownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError, errorMessage } from '../../../shared/errors.js'
import type { Cgroup } from './cgroups.js'
import type { NativeHost } from './host.js'
import { controlFiles, type ControlFiles } from './layout.js'
import type { BindMount } from './mounts.js'
import type { Place } from './places.js'
import { MARKER } from './processes.js'
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
 * control files say how it went; the returned process is for learning of its end early.
 */
export function launch(host: NativeHost, place: Place, command: PlacedCommand): ChildProcess {
  const files = controlFiles(place.controlDir)
  const env = toSlots(envOf(place, command))
  for (const path of [files.stdout, files.stderr]) closeSync(openSync(path, 'a', 0o600))
  const input = command.stdin === undefined ? undefined : openInput(host, files, command.stdin)
  const args = [
    ...wrapperArgs(host, place, command),
    ...bindArgs(host, command.mounts),
    ...[host.tools.setsid, ...dropArgs(host)],
    ...[host.tools.sh, '-c', shim(Object.keys(env).length), 'pocketci'],
    ...[command.workDir, ...command.command],
  ]
  try {
    const stdio = [input ?? ('ignore' as const), 'ignore' as const, 'ignore' as const]
    const child = spawn(host.tools.sh, args, { cwd: '/', env, detached: true, stdio })
    child.unref()
    return child
  } catch (error) {
    // a NUL byte, or more than the system takes
    throw new AppError('container_failed', `cannot start: ${errorMessage(error)}`, { cause: error })
  } finally {
    if (input !== undefined) closeSync(input)
  }
}

function envOf({ marker, workDir }: Place, { env }: PlacedCommand): [string, string][] {
  for (const name of Object.keys(env))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || RESERVED_ENV.test(name))
      throw new AppError(
        'container_failed',
        `the native driver cannot set the environment variable "${name.slice(0, 100)}": its name has to be letters, digits and "_", and not begin with "pocketci_"`,
      )
  const defaults = { PATH: DEFAULT_PATH, HOME: workDir, LANG: 'C.UTF-8' }
  return Object.entries({ ...defaults, ...env, [MARKER]: marker })
}

function toSlots(env: readonly [string, string][]): Record<string, string> {
  return Object.fromEntries(env.map(([name, value], index) => [envSlot(index), `${name}=${value}`]))
}

/** A file without a name: nothing of the input stays on disk when the command has ended. */
function openInput({ stepUser }: NativeHost, files: ControlFiles, text: string): number {
  const path = join(files.dir, `stdin-${process.pid}-${Math.random().toString(36).slice(2)}`)
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
  const fd = openSync(path, 'r')
  unlinkSync(path)
  // it can be opened again as /dev/stdin
  if (stepUser) fchownSync(fd, stepUser.uid, stepUser.gid)
  return fd
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
