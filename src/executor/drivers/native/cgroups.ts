import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ResourceLimits } from '../driver.js'

/** The most processes and threads of one container. */
const MAX_PIDS = 512

/** The control groups of one namespace, in either version; none where they cannot be made. */
export interface Cgroups {
  /** Makes the groups of a container; says in `missing` what the system cannot enforce. */
  create(name: string, limits: ResourceLimits): Cgroup
  /** The groups of a container that an earlier instance may have made. */
  find(name: string): Cgroup
  /** Ids of the processes in any group of the namespace. */
  allProcesses(): number[]
  remove(cgroup: Cgroup): Promise<void>
  removeAll(): Promise<void>
}

export interface Cgroup {
  /** Folders of one container. The first one counts processes; no step can leave it. */
  dirs: readonly string[]
  /** The file that counts kills for want of memory; empty without a memory group. */
  memoryEvents: string
  missing: readonly ('pids' | 'memory' | 'cpu')[]
}

type Controller = 'pids' | 'memory' | 'cpu'

/** `root` is where the system mounts control groups: version 2 itself, or one folder a controller. */
export function openCgroups(root: string, namespace: string): Cgroups {
  const isUnified = existsSync(join(root, 'cgroup.controllers'))
  const parents = isUnified
    ? [join(root, 'pocketci')]
    : ['pids', 'memory', 'cpu'].map((controller) => join(root, controller, 'pocketci'))
  const namespaceDirs = parents.map((parent) => join(parent, namespace))
  const cgroupOf = (dirs: string[], missing: Controller[]): Cgroup => ({
    dirs,
    memoryEvents: memoryEventsOf(dirs),
    missing,
  })

  return {
    create(name, limits) {
      const asked: Controller[] = ['pids']
      if (limits.memory) asked.push('memory')
      if (limits.cpu) asked.push('cpu')
      const dirs = new Set<string>()
      const missing: Controller[] = []
      for (const controller of asked) {
        const parent = isUnified ? root : join(root, controller)
        try {
          dirs.add(makeGroup({ root: parent, path: ['pocketci', namespace, name], isUnified }))
          const dir = join(parent, 'pocketci', namespace, name)
          for (const [file, value] of settings(controller, limits, isUnified))
            setLimit(join(dir, file), value)
        } catch {
          missing.push(controller) // not mounted, read-only or not ours: the caller says so
        }
      }
      return cgroupOf([...dirs], missing)
    },

    find: (name) =>
      cgroupOf(
        namespaceDirs.map((dir) => join(dir, name)).filter((dir) => existsSync(dir)),
        [],
      ),

    allProcesses: () => [
      ...new Set(
        namespaceDirs.flatMap((dir) => groupsIn(dir).flatMap((group) => processesOf(group))),
      ),
    ],

    remove: ({ dirs }) => removeGroups(dirs),

    async removeAll() {
      for (const dir of namespaceDirs) {
        await removeGroups(groupsIn(dir))
        await removeGroups([dir])
      }
    },
  }
}

/** Ids of the processes in the first folder: nothing of the container is outside it. */
export function processesIn({ dirs }: Cgroup): number[] {
  return dirs[0] === undefined ? [] : processesOf(dirs[0])
}

function makeGroup(options: { root: string; path: readonly string[]; isUnified: boolean }): string {
  let dir = options.root
  for (const part of options.path) {
    // version 2 hands controllers down one level at a time
    if (options.isUnified) writeFileSync(join(dir, 'cgroup.subtree_control'), '+pids +memory +cpu')
    dir = join(dir, part)
    mkdirSync(dir, { recursive: true })
  }
  return dir
}

function settings(
  controller: Controller,
  { memory = 0, cpu = 0 }: ResourceLimits,
  isUnified: boolean,
): [string, number][] {
  switch (controller) {
    case 'pids':
      return [['pids.max', MAX_PIDS]]
    case 'memory':
      return isUnified
        ? [
            ['memory.max', memory],
            ['memory.swap.max', 0],
          ]
        : [
            ['memory.limit_in_bytes', memory],
            ['memory.memsw.limit_in_bytes', memory],
          ]
    case 'cpu':
      return isUnified ? [['cpu.weight', cpuWeight(cpu)]] : [['cpu.shares', Math.max(2, cpu)]]
  }
}

/** Shares 2…262144 on the scale of version 2, as container runtimes map them. */
function cpuWeight(shares: number): number {
  const bounded = Math.min(262_144, Math.max(2, shares))
  return 1 + Math.floor(((bounded - 2) * 9999) / 262_142)
}

function setLimit(file: string, value: number): void {
  // kernels without accounting of swap have no file for it, and no swap to limit
  if (/swap|memsw/.test(file) && !existsSync(file)) return
  writeFileSync(file, String(value))
}

function memoryEventsOf(dirs: readonly string[]): string {
  const files = dirs.flatMap((dir) => [join(dir, 'memory.events'), join(dir, 'memory.oom_control')])
  return files.find((file) => existsSync(file)) ?? ''
}

function groupsIn(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name))
  } catch {
    return [] // there is none
  }
}

function processesOf(dir: string): number[] {
  try {
    const text = readFileSync(join(dir, 'cgroup.procs'), 'utf8')
    return text.split('\n').filter(Boolean).map(Number)
  } catch {
    return [] // the group is gone
  }
}

/** A group stays busy for a moment after its last process has died. */
async function removeGroups(dirs: readonly string[]): Promise<void> {
  for (const dir of dirs) {
    for (let round = 0; existsSync(dir); round++) {
      try {
        rmdirSync(dir)
      } catch (error) {
        if (round === 100) throw error
        await sleep(10)
      }
    }
  }
}
