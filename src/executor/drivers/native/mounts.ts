import { realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { AppError, errorMessage } from '../../../shared/errors.js'
import type { Mount } from '../driver.js'
import { linkBelow, makeFoldersBelow } from './folders.js'
import type { NativeHost } from './host.js'

/** A volume's folder that is to appear at `target` for one container. */
export interface BindMount {
  target: string
  source: string
}

/**
 * Prepares the places of a container's mounts and says what to bind there, outer ones first. Where
 * nothing can be bound, volumes are linked into the work dir instead and there is nothing to bind.
 */
export function prepareMounts(
  host: NativeHost,
  workDir: string,
  mounts: readonly (Mount & { source: string })[],
): BindMount[] {
  const canBind = mounts.length > 0 && host.canBind()
  const placed: BindMount[] = []
  const ordered = mounts
    .map(({ path, source }) => ({ path, source, target: placeOf(workDir, path) }))
    .sort((a, b) => depthOf(a.target) - depthOf(b.target))
  for (const { path, source, target } of ordered) {
    if (placed.some((mount) => mount.target === target))
      throw cannotMount(path, 'two volumes are mounted there')
    try {
      if (canBind) preparePoint(host, workDir, { target, placed })
      else linkPoint(host, workDir, { target, source, placed })
    } catch (error) {
      throw cannotMount(path, errorMessage(error), error)
    }
    placed.push({ target, source })
  }
  return canBind ? placed : []
}

/** Relative paths are below the work dir, absolute ones exactly there. */
function placeOf(workDir: string, path: string): string {
  if (isAbsolute(path)) return realPlaceOf(join(path, '.').replace(/(.)\/$/, '$1'), path)
  const target = join(workDir, path).replace(/\/$/, '')
  if (target !== workDir && !isInside(target, workDir))
    throw cannotMount(path, 'it leads out of the work dir')
  return target
}

/** Through links as far as the path exists; what does not exist may come to be in a mount above. */
function realPlaceOf(absolute: string, path: string): string {
  try {
    return realpathSync(absolute)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return absolute
    throw cannotMount(path, errorMessage(error), error)
  }
}

interface Place {
  target: string
  /** Mounts that come before, outer ones first. */
  placed: readonly BindMount[]
}

function preparePoint(host: NativeHost, workDir: string, { target, placed }: Place): void {
  const outer = outerOf(target, placed)
  if (outer) makeFoldersBelow(outer.source, partsOf(target, outer.target), host.stepUser)
  else if (isInside(target, workDir) || target === workDir)
    makeFoldersBelow(workDir, partsOf(target, workDir), host.stepUser)
  else checkHostFolder(host, target)
}

/**
 * A folder of the host may be covered for one container, never created. Programs are executed as
 * root after that, so what the system is made of may not be covered.
 */
function checkHostFolder({ layout, tools }: NativeHost, target: string): void {
  const toolFolders = Object.values(tools).map((path) => dirname(realpathSync(path)))
  const isKept = [...SYSTEM_FOLDERS, ...toolFolders, layout.dir].some(
    (kept) => kept === target || isInside(kept, target) || isInside(target, kept),
  )
  if (isKept) throw new Error('it belongs to the system')
  if (!statSync(target, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(
      'the native driver mounts at absolute paths only over a folder that the host has; create it or use a relative path',
    )
}

const SYSTEM_FOLDERS = [
  ...['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix', '/gnu'],
  ...['/etc', '/proc', '/sys', '/dev', '/run', '/boot'],
]

function linkPoint(
  { stepUser }: NativeHost,
  workDir: string,
  { target, source, placed }: Place & BindMount,
): void {
  const link = { target: source, user: stepUser }
  const outer = outerOf(target, placed)
  if (outer) return linkBelow(outer.source, partsOf(target, outer.target), link)
  if (!isInside(target, workDir))
    throw new Error(
      'without root, or without the right to mount, the native driver links volumes below the work dir; use a relative path',
    )
  linkBelow(workDir, partsOf(target, workDir), link)
}

function outerOf(target: string, placed: readonly BindMount[]): BindMount | undefined {
  return placed.findLast((mount) => isInside(target, mount.target))
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder === sep ? sep : folder + sep) && path !== folder
}

function partsOf(path: string, folder: string): string[] {
  return relative(folder, path).split(sep).filter(Boolean)
}

function depthOf(path: string): number {
  return path.split(sep).length
}

function cannotMount(path: string, reason: string, cause?: unknown): AppError {
  return new AppError('container_failed', `cannot mount at "${path.slice(0, 200)}": ${reason}`, {
    cause,
  })
}
