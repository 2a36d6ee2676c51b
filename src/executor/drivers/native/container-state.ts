import { readFileSync, statSync } from 'node:fs'
import type { ControlFiles } from './layout.js'
import { findProcess } from './processes.js'

/**
 * What the control files say:
 *
 *     absent → starting → running → exited
 *                  ↓         ↓
 *               refused     lost
 */
export type ContainerState =
  /** No wrapper has taken the claim. */
  | { type: 'absent' }
  | { type: 'starting' }
  /** The command could not be executed. */
  | { type: 'refused'; reason: string }
  /** `leader` is the command's process, its group and its session. */
  | { type: 'running'; leader: number }
  | { type: 'exited'; exitCode: number; isOutOfMemory: boolean }
  /** The wrapper is gone and did not say how the command ended. */
  | { type: 'lost' }

/** A claim without content for so long: its wrapper died in between. */
const EMPTY_CLAIM_MS = 10_000

export function readState(files: ControlFiles): ContainerState {
  const ended = readEnd(files)
  if (ended) return ended
  const claim = readClaim(files)
  if (claim === 'absent') return { type: 'absent' }
  if (claim === 'starting' || claim === 'alive') {
    const [word, leader] = readWords(files.start) ?? []
    if (word === 'started') return { type: 'running', leader: Number(leader) }
    return { type: 'starting' }
  }
  // it may have ended between the two looks
  return readEnd(files) ?? { type: 'lost' }
}

function readEnd(files: ControlFiles): ContainerState | undefined {
  const [code, kills] = readWords(files.exit) ?? []
  if (code === undefined) return undefined
  const isOutOfMemory = Number(kills) > 0 && code !== '0'
  const [word, reason = 'launch'] = readWords(files.start) ?? []
  if (word !== 'started' && !isOutOfMemory) return { type: 'refused', reason }
  return { type: 'exited', exitCode: Number(code), isOutOfMemory }
}

/** The pid of the wrapper, if it is the process that took the claim. */
export function findWrapper(files: ControlFiles): number | undefined {
  const [pid, startTime, bootId] = readWords(files.claim) ?? []
  if (pid === undefined || bootId !== readBootId()) return undefined
  return findProcess(Number(pid))?.startTime === startTime ? Number(pid) : undefined
}

function readClaim(files: ControlFiles): 'absent' | 'starting' | 'alive' | 'dead' {
  if (readWords(files.claim)) return findWrapper(files) === undefined ? 'dead' : 'alive'
  const claim = statSync(files.claim, { throwIfNoEntry: false })
  if (!claim) return 'absent'
  return Date.now() - claim.mtimeMs < EMPTY_CLAIM_MS ? 'starting' : 'dead'
}

/** The bytes of a stream that were written; undefined while more may come. */
export function readTotal(path: string): number | undefined {
  const [total] = readWords(path) ?? []
  return total === undefined ? undefined : Number(total)
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** The words of a control file's line; undefined until the line is complete. */
function readWords(path: string): string[] | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return text.endsWith('\n') ? text.trim().split(/\s+/) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
