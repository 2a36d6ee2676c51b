import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.js'

/** Absolute paths of the programs that the driver starts, found before a step can change anything. */
export type Tools = Record<(typeof REQUIRED)[number], string> &
  Partial<Record<(typeof OPTIONAL)[number], string>>

const REQUIRED = ['sh', 'setsid', 'tee', 'wc', 'rm', 'chmod'] as const
/** For dropping privileges and for bind mounts, both of which need root; tar for archives. */
const OPTIONAL = ['setpriv', 'chown', 'unshare', 'mount', 'tar'] as const

/** Never the PATH of the server's environment: what is found here may run as root. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin']

/** Throws `driver_unavailable` when one is missing. `needsUser`: steps are to run as somebody else. */
export function findTools(needsUser: boolean): Tools {
  if (process.platform !== 'linux')
    throw new AppError('driver_unavailable', 'the native driver runs on Linux only')
  const found = new Map([...REQUIRED, ...OPTIONAL].map((name) => [name, findTool(name)]))
  const needed = needsUser ? [...REQUIRED, 'setpriv' as const, 'chown' as const] : REQUIRED
  const missing = needed.filter((name) => found.get(name) === undefined)
  if (missing.length > 0)
    throw new AppError(
      'driver_unavailable',
      `the native driver needs ${missing.join(', ')} (packages util-linux and coreutils)`,
    )
  // the required ones were just checked
  return Object.fromEntries([...found].filter(([, path]) => path !== undefined)) as Tools
}

function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false // not in this folder
    }
  })
}
