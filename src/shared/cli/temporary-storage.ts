import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.js'

/** Databases and workspaces of one run; disposing them removes all of it. */
export interface TemporaryStorage extends Disposable {
  readonly config: Config
}

/** `configure` makes the configuration for the path of a database that is not there yet. */
export function openTemporaryStorage(configure: (path: string) => Config): TemporaryStorage {
  const folder = mkdtempSync(join(tmpdir(), 'pocketci-execute-'))
  const remove = (path: string): void => rmSync(path, { recursive: true, force: true })
  try {
    const config = configure(join(folder, 'pocketci.db'))
    return {
      config,
      [Symbol.dispose]() {
        // its name comes from that of the database: nobody else's
        remove(config.drivers.nativeRoot)
        remove(folder)
      },
    }
  } catch (error) {
    remove(folder)
    throw error
  }
}
