import { mkdirSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { ContainerSpec } from '../driver.js'
import type { Cgroup } from './cgroups.js'
import { makeStepFolder } from './folders.js'
import type { NativeHost } from './host.js'
import { checkName } from './layout.js'
import { makeRunFolder } from './run-folder.js'

/** Where a container is. */
export interface Place {
  id: string
  controlDir: string
  /** Its default work dir: for an exec, its sandbox's. */
  workDir: string
  /** Names it in the environment of its processes. */
  marker: string
  /** An exec: its groups are its sandbox's, and what it leaves running goes on running. */
  isExec: boolean
  /** Its groups as they are now; an exec has none of its own. */
  findCgroup(): Cgroup | undefined
}

export function placeOf({ layout, cgroups }: NativeHost, id: string): Place {
  checkName('container id', id)
  let cgroup: Cgroup | undefined
  return {
    id,
    controlDir: join(layout.control, id),
    workDir: join(layout.work, id),
    marker: `${layout.namespace}/${id}`,
    isExec: false,
    findCgroup: () => (cgroup?.dirs.length ? cgroup : (cgroup = cgroups.find(id))),
  }
}

export function execPlaceOf(sandbox: Place, id: string): Place {
  checkName('exec id', id)
  return {
    ...sandbox,
    id,
    controlDir: join(sandbox.controlDir, 'exec', id),
    marker: `${sandbox.marker}/${id}`,
    isExec: true,
    findCgroup: () => undefined,
  }
}

/** Makes a folder that is the executor's alone, below one that steps can enter. */
export function makeControlDir(host: NativeHost, dir: string): void {
  makeRunFolder(host)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
}

/** Makes the work dir and the groups of a container or sandbox; logs what it cannot have. */
export function preparePlace(
  host: NativeHost,
  place: Place,
  { limits = {}, user, privileged }: Pick<ContainerSpec, 'limits' | 'user' | 'privileged'>,
): Cgroup {
  const { layout, stepUser, cgroups } = host
  const logger = host.logger.child({ container: place.id })
  makeRunFolder(host)
  mkdirSync(layout.work, { recursive: true, mode: 0o711 })
  makeStepFolder(place.workDir, stepUser)
  const cgroup = cgroups.create(place.id, limits)
  const asked = cgroup.missing.filter((controller) => controller !== 'pids')
  if (asked.length > 0) logger.warn({ limits: asked }, 'this host cannot enforce the limits')
  if (cgroup.missing.includes('pids')) logger.debug('this host cannot limit processes')
  if (privileged) logger.warn('the native driver has no privileged containers')
  if (user !== undefined && user !== '' && user !== stepUser?.name)
    logger.warn({ user }, 'the native driver ignores the user of a step')
  return cgroup
}

/** Relative: below the default work dir, out of which it may not lead. */
export function resolveWorkDir(place: Place, workDir: string | undefined): string {
  if (workDir === undefined || workDir === '') return place.workDir
  if (isAbsolute(workDir)) return workDir
  const path = normalize(join(place.workDir, workDir))
  if (path === place.workDir || path.startsWith(`${place.workDir}/`)) return path
  throw new AppError(
    'container_failed',
    `the work dir "${workDir.slice(0, 200)}" leads out of the default one`,
  )
}
