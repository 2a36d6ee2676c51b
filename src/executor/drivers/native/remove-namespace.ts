import { readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { RemoveOptions } from '../driver.js'
import { readState } from './container-state.js'
import type { NativeHost } from './host.js'
import { controlFiles, type Layout } from './layout.js'
import { findProcesses, killAll } from './processes.js'
import { removeTree } from './remove-tree.js'

/** Kills and removes all of a namespace, whoever started it. Throws an AggregateError at the end. */
export async function removeNamespace(
  host: NativeHost,
  { keepsVolumes = false }: RemoveOptions,
): Promise<void> {
  const { layout, cgroups } = host
  const errors: unknown[] = []
  const attempt = async (remove: () => Promise<void>): Promise<void> => {
    try {
      await remove()
    } catch (error) {
      errors.push(error)
    }
  }
  const isQuiet = isAllOver(host)
  if (!isQuiet) await attempt(() => killAll(() => processesOf(host)))
  await attempt(() => cgroups.removeAll())
  const folders = keepsVolumes ? [layout.control, layout.work] : [layout.dir]
  await attempt(() => (isQuiet ? removeQuietly(host, folders) : removeTree(host, folders)))
  if (errors.length > 0)
    throw new AggregateError(errors, `could not remove all of ${layout.namespace}`)
}

/**
 * True when nothing of the namespace can be running: every command has ended and its group, which no
 * step can leave, is empty. That spares a look at every process of the host, the usual case.
 */
function isAllOver({ layout, cgroups }: NativeHost): boolean {
  const isTracked = (dir: string): boolean => cgroups.find(basename(dir)).dirs.length > 0
  const isOver = (dir: string): boolean => {
    const { type } = readState(controlFiles(dir))
    // a sandbox is a folder of execs without a command of its own
    return type === 'exited' || type === 'refused' || type === 'absent'
  }
  const containers = foldersIn(layout.control)
  const all = containers.flatMap((dir) => [dir, ...foldersIn(join(dir, 'exec'))])
  return containers.every(isTracked) && all.every(isOver) && cgroups.allProcesses().length === 0
}

/** Without a process of its own; nobody is left who could lead it elsewhere by a link. */
async function removeQuietly(host: NativeHost, folders: readonly string[]): Promise<void> {
  try {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  } catch {
    // folders that a step made read-only, which stop everyone but root
    await removeTree(host, folders)
  }
}

function processesOf({ layout, cgroups }: NativeHost): number[] {
  const prefix = `${layout.namespace}/`
  const inGroups = cgroups.allProcesses()
  const recognized = findProcesses({
    hasMarker: (value) => value.startsWith(prefix),
    includesWrappers: true,
    sessions: leadersIn(layout),
  })
  return [...new Set([...inGroups, ...recognized])]
}

/** The commands that run, for a process without its environment is known by its session alone. */
function leadersIn({ control }: Layout): Set<number> {
  const leaders = new Set<number>()
  for (const dir of foldersIn(control).flatMap((dir) => [dir, ...foldersIn(join(dir, 'exec'))])) {
    const state = readState(controlFiles(dir))
    if (state.type === 'running') leaders.add(state.leader)
  }
  return leaders
}

function foldersIn(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name))
  } catch {
    return [] // there are none
  }
}
