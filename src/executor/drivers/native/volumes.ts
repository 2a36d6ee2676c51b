import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { Mount, Volume, VolumeSpec } from '../driver.js'
import { makeStepFolder } from './folders.js'
import type { NativeHost } from './host.js'
import { checkName } from './layout.js'
import { makeRunFolder } from './run-folder.js'

/** Volumes are folders: they have no size and live until the run's end. */
export interface Volumes {
  create(spec: VolumeSpec): Promise<Volume>
  /** The folder of a volume, or `volume_failed`. */
  get(name: string): string
  /** The names of those that are there. */
  list(): string[]
  /** The folders of mounts; volumes that are not there are made. */
  sourcesOf(mounts: readonly Mount[]): (Mount & { source: string })[]
}

export function createVolumes(host: NativeHost): Volumes {
  const { layout, stepUser } = host
  const make = (name: string): string => {
    const path = join(layout.volumes, checkName('volume', name))
    try {
      makeRunFolder(host)
      mkdirSync(layout.volumes, { recursive: true, mode: 0o711 })
      makeStepFolder(path, stepUser)
    } catch (error) {
      throw new AppError('volume_failed', `cannot make the volume "${name}"`, { cause: error })
    }
    return path
  }

  return {
    create: async ({ name }) => ({ name, path: make(name) }),

    get(name) {
      const path = join(layout.volumes, checkName('volume', name))
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
      throw new AppError('volume_failed', `there is no volume "${name}"`)
    },

    list() {
      try {
        return readdirSync(layout.volumes)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    },

    sourcesOf: (mounts) => mounts.map((mount) => ({ ...mount, source: make(mount.volume) })),
  }
}
