import { readState } from './container-state.js'
import type { NativeHost } from './host.js'
import { controlFiles } from './layout.js'
import { openContainer, type NativeContainer } from './native-container.js'
import type { Place } from './places.js'
import { removeTree } from './remove-tree.js'
import { startContainer, type Attached, type StartOptions } from './start-container.js'
import { watchFolder, type FolderWatch } from './watch-folder.js'

/** The containers that one driver instance has in hand, those of its sandboxes too. */
export interface Containers {
  /** Starts a command at a place, or attaches to the one that runs or ran there. */
  start(options: Omit<StartOptions, 'host' | 'attach'>): Promise<NativeContainer>
  /** The container at a place, if a command was ever executed there. */
  find(place: Place): Promise<NativeContainer | undefined>
  /** Resolves when no start is under way. */
  settleStarts(): Promise<void>
  /** Lets go of all handles. Touches no container. */
  release(): void
}

export function createContainers(host: NativeHost): Containers {
  const known = new Map<string, Promise<NativeContainer>>()
  const watches = new Map<string, FolderWatch>()

  const release = (controlDir: string): void => {
    known.delete(controlDir)
    watches.get(controlDir)?.[Symbol.dispose]()
    watches.delete(controlDir)
  }
  const attach = (place: Place): Attached => {
    const watch = watchFolder(place.controlDir)
    watches.set(place.controlDir, watch)
    const clean = async (): Promise<void> => {
      release(place.controlDir)
      await removePlace(host, place)
    }
    return { container: openContainer({ place, watch, clean }), watch }
  }
  const remember = (place: Place, opened: Promise<NativeContainer>): Promise<NativeContainer> => {
    known.set(place.controlDir, opened)
    opened.catch(() => release(place.controlDir)) // the caller gets the error
    return opened
  }

  return {
    start: (options) =>
      known.get(options.place.controlDir) ??
      remember(options.place, startContainer({ host, attach, ...options })),

    async find(place) {
      const opened = known.get(place.controlDir)
      if (opened) return opened
      const { type } = readState(controlFiles(place.controlDir))
      if (type === 'absent' || type === 'starting' || type === 'refused') return undefined
      return remember(place, Promise.resolve(attach(place).container))
    },

    async settleStarts() {
      await Promise.allSettled(known.values())
    },

    release() {
      for (const controlDir of known.keys()) release(controlDir)
    },
  }
}

async function removePlace(host: NativeHost, place: Place): Promise<void> {
  // the rest of an exec is its sandbox's
  if (place.isExec) return removeTree(host, [place.controlDir])
  await host.cgroups.remove(host.cgroups.find(place.id))
  await removeTree(host, [place.controlDir, place.workDir])
}
