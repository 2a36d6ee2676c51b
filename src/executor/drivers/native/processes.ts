import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../../shared/errors.js'

/** The environment variable by which a step's processes are found wherever they went. */
export const MARKER = 'POCKETCI_CONTAINER'

/** The one that says whose step it is. */
export const INSTANCE = 'POCKETCI_INSTANCE'

/** How long killed processes may take to disappear: longer than any disk is slow. */
const DEATH_MS = 10_000

export interface ProcessInfo {
  /** Clock ticks since boot: with the id, it names one process for ever. */
  startTime: string
  group: number
  session: number
}

/** A process that is there and not a zombie. */
export function findProcess(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the name, in brackets, may hold anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, , group = '', session = ''] = fields
    if (state === 'Z' || state === 'X') return undefined
    return { startTime: fields[19] ?? '', group: Number(group), session: Number(session) }
  } catch {
    return undefined // it is gone
  }
}

export interface ProcessQuery {
  /** Matches the value of the marker; wrappers carry it in a slot and are found on request. */
  hasMarker(value: string): boolean
  includesWrappers: boolean
  /** Sessions, and groups, of commands that are known to run. */
  sessions: ReadonlySet<number>
}

/** Looks at every process of the host. */
export function findProcesses({ hasMarker, includesWrappers, sessions }: ProcessQuery): number[] {
  const found: number[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const info = sessions.size > 0 ? findProcess(pid) : undefined
    if (info && (sessions.has(info.session) || sessions.has(info.group))) found.push(pid)
    else if (markersOf(pid, includesWrappers).some(hasMarker) && findProcess(pid)) found.push(pid)
  }
  return found
}

/** The markers of an instance's steps that have processes, their wrappers included. */
export function listStepMarkers(instance: string): Set<string> {
  const markers = new Set<string>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const entries = environmentOf(pid)
    const [marker] = valuesOf(entries, WRAPPED)
    const isOurs = marker !== undefined && valuesOf(entries, WRAPPED_INSTANCE).includes(instance)
    if (isOurs && findProcess(pid)) markers.add(marker)
  }
  return markers
}

function markersOf(pid: number, includesWrappers: boolean): string[] {
  return valuesOf(environmentOf(pid), includesWrappers ? WRAPPED : PLAIN)
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
  } catch {
    return [] // gone, or another user's
  }
}

function valuesOf(entries: readonly string[], pattern: RegExp): string[] {
  return entries.flatMap((entry) => pattern.exec(entry)?.[1] ?? [])
}

const PLAIN = new RegExp(`^${MARKER}=(.*)$`)
const WRAPPED = new RegExp(`^(?:POCKETCI_ENV_\\d+=)?${MARKER}=(.*)$`)
const WRAPPED_INSTANCE = new RegExp(`^(?:POCKETCI_ENV_\\d+=)?${INSTANCE}=(.*)$`)

/** Signals each; one that is gone already is no failure. */
export function signalAll(pids: Iterable<number>, signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Kills until `find` finds none, since a process may fork while it is being killed. */
export async function killAll(find: () => number[]): Promise<void> {
  const deadline = Date.now() + DEATH_MS
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 50)) {
    const pids = find()
    if (pids.length === 0) return
    signalAll(pids, 'SIGKILL')
    if (Date.now() > deadline)
      throw new AppError('container_failed', `processes cannot be killed: ${pids.join(', ')}`)
    await sleep(pauseMs)
  }
}
