import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Db } from './open.js'

/**
 * Tells that some process has committed to a database. Watches the file's folder (a watch of the
 * -wal file itself goes deaf when the last connection closes), with a poll each second as the net.
 */
export interface ChangeSignal extends Disposable {
  /** Grows with each change that was noticed. */
  readonly version: number
  /**
   * Resolves when `version` has moved on from `seen`, or when the signal aborts. Read the version
   * first, then the rows, then wait: no change is missed.
   */
  changed(seen: number, signal?: AbortSignal): Promise<void>
}

/** Net under the watch; also notices changes over file systems that report none. */
const POLL_MS = 1_000

/**
 * The watch tells of the write to the log, and a commit can be seen only once that write is synced:
 * pauses between looks until it is there. What takes longer is left to the poll.
 */
const LOOK_AGAIN_MS = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 8, 16, 32, 64, 128] as const

/** `readers`: open connections to the watched databases, all in one folder. They stay the caller's. */
export function watchDatabases(readers: readonly Db[]): ChangeSignal {
  const names = new Set(readers.map(({ name }) => `${basename(name)}-wal`))
  const waiting = new Set<() => void>()
  const versions = readers.map((db) => dataVersion(db))
  let version = 0
  let looks: number = LOOK_AGAIN_MS.length
  let timer: NodeJS.Timeout | undefined
  let pausingMs = 0

  const announce = (): void => {
    version++
    const wakes = [...waiting]
    waiting.clear()
    for (const wake of wakes) wake()
  }
  const isChanged = (): boolean => {
    let hasChanged = false
    readers.forEach((db, at) => {
      const seen = versions[at]
      versions[at] = dataVersion(db)
      hasChanged ||= versions[at] !== seen
    })
    return hasChanged
  }
  const look = (): void => {
    timer = undefined
    if (isChanged()) announce()
    lookAgain()
  }
  const lookAgain = (): void => {
    const pauseMs = LOOK_AGAIN_MS[looks++]
    if (pauseMs === undefined) return
    pausingMs = pauseMs
    timer = setTimeout(look, pauseMs).unref()
  }
  const noteEvent = (name: string | null): void => {
    if (name !== null && !names.has(name)) return
    looks = 0
    // the long pauses behind an earlier write are not for this one
    if (timer !== undefined && pausingMs <= LOOK_AGAIN_MS[0]) return
    clearTimeout(timer)
    lookAgain()
  }

  const folder = dirname(readers[0]?.name ?? '.')
  const watcher = watch(folder, { persistent: false }, (_, name) => noteEvent(name))
  watcher.on('error', () => watcher.close()) // the folder went away: the poll remains
  const poll = setInterval(() => {
    if (isChanged()) announce()
  }, POLL_MS)
  poll.unref()

  return {
    get version() {
      return version
    },
    changed(seen, signal) {
      if (seen !== version || signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = (): void => {
          signal?.removeEventListener('abort', wake)
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
        signal?.addEventListener('abort', wake, { once: true })
      })
    },
    [Symbol.dispose]() {
      clearInterval(poll)
      clearTimeout(timer)
      watcher.close()
      announce()
    },
  }
}

/** Changes when another connection has committed. */
function dataVersion(db: Db): unknown {
  return db.pragma('data_version', { simple: true })
}
