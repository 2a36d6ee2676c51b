import { append, ErrorIntrinsic, freeze, isArray } from './intrinsics.js'
import { listOf, type Host } from './host.js'
import { argsOf } from './tasks.js'

/** The `volumes` global. */
export function createVolumes(host: Host) {
  return freeze({
    async create(config: unknown): Promise<object> {
      const args = argsOf('volume input', () => listOf(config === undefined ? {} : config))
      // the host answers with both
      const volume = (await host.callAsync('volumes.create', args)) as Record<
        'name' | 'path',
        string
      >
      return createVolume(host, volume.name, volume.path)
    },

    async readFiles(volumeName: unknown, ...paths: unknown[]): Promise<unknown> {
      if (typeof volumeName !== 'string' || paths.length === 0)
        throw new ErrorIntrinsic('readFiles requires volumeName and filePaths')
      return readFiles(host, volumeName, isArray(paths[0]) ? paths[0] : paths)
    },
  })
}

function createVolume(host: Host, name: string, path: string): object {
  return freeze({
    name,
    path,
    async readFiles(paths: unknown): Promise<unknown> {
      if (paths === undefined) throw new ErrorIntrinsic('readFiles requires a filePaths array')
      return readFiles(host, name, paths)
    },
  })
}

function readFiles(host: Host, volume: string, paths: unknown): Promise<unknown> {
  if (!isArray(paths)) throw new ErrorIntrinsic(NOT_PATHS)
  const texts: string[] = []
  for (let index = 0; index < paths.length; index++) {
    const path: unknown = paths[index]
    if (typeof path !== 'string') throw new ErrorIntrinsic(NOT_PATHS)
    append(texts, path)
  }
  return host.callAsync('volumes.readFiles', listOf(volume, texts))
}

const NOT_PATHS = 'readFiles expects an array of file paths'
