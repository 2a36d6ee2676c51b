import {
  closeSync,
  constants,
  fchownSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { AppError } from '../../../shared/errors.js'
import type { StepUser } from '../../../shared/native-host/step-user.js'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants

/** Makes a folder that belongs to steps; one that is there stays as it is. */
export function makeStepFolder(path: string, user: StepUser | undefined): void {
  if (!isMade(() => mkdirSync(path, 0o700))) return
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    if (user) fchownSync(fd, user.uid, user.gid)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes the folders `parts` below `base`, where a step may be changing things meanwhile. Each part
 * is opened by the descriptor of the one above and no link is followed, so that nothing outside is
 * ever made or given away.
 */
export function makeFoldersBelow(
  base: string,
  parts: readonly string[],
  user: StepUser | undefined,
): void {
  closeSync(openFolderBelow(base, parts, user))
}

/** Links `parts` below `base` to a folder; the same link may be there already. */
export function linkBelow(
  base: string,
  parts: readonly string[],
  { target, user }: { target: string; user: StepUser | undefined },
): void {
  const fd = openFolderBelow(base, parts.slice(0, -1), user)
  try {
    const path = `/proc/self/fd/${fd}/${parts.at(-1)}`
    if (!isMade(() => symlinkSync(target, path)) && findLink(path) !== target)
      throw new AppError('container_failed', `something else is at "${parts.join('/')}"`)
  } finally {
    closeSync(fd)
  }
}

function openFolderBelow(
  base: string,
  parts: readonly string[],
  user: StepUser | undefined,
): number {
  let fd = openSync(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  for (const part of parts) {
    const path = `/proc/self/fd/${fd}/${part}`
    try {
      const isNew = isMade(() => mkdirSync(path, 0o755))
      const next = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      if (isNew && user) fchownSync(next, user.uid, user.gid)
      closeSync(fd)
      fd = next
    } catch (error) {
      closeSync(fd)
      throw new AppError('container_failed', `"${part}" is in the way and no folder`, {
        cause: error,
      })
    }
  }
  return fd
}

/** False when something of that name is there. */
function isMade(make: () => void): boolean {
  try {
    make()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function findLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined // not a link
  }
}
