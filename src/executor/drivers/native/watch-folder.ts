import { watch, type FSWatcher } from 'node:fs'

/** How often to look without being told: the net under file events, and with none of them. */
const POLL_MS = 1000
const BUSY_POLL_MS = 50

/** Tells when something may have changed. Never misses a change after `version` was read. */
export interface Changes {
  readonly version: number
  /** Resolves when the version is no longer this one, or the signal aborts. */
  after(version: number, signal?: AbortSignal): Promise<void>
  bump(): void
}

/** What goes on in a control folder. Closing it wakes all who wait. */
export interface FolderWatch extends Disposable {
  /** Output was written, or the state changed. */
  output: Changes
  /** A control file was written, or it is time to look. */
  state: Changes
  readonly isClosed: boolean
}

export function watchFolder(dir: string): FolderWatch {
  const output = createChanges()
  const state = createChanges()
  const bump = (): void => {
    state.bump()
    output.bump()
  }
  let isClosed = false
  let timer = setInterval(bump, POLL_MS)
  const pollBusily = (): void => {
    clearInterval(timer)
    if (!isClosed) timer = setInterval(bump, BUSY_POLL_MS)
  }

  let watcher: FSWatcher | undefined
  try {
    watcher = watch(dir, (_type, name) => {
      if (name === 'stdout' || name === 'stderr') output.bump()
      else bump()
    })
    watcher.on('error', pollBusily)
  } catch {
    pollBusily() // the host has no file watches left
  }

  return {
    output,
    state,
    get isClosed() {
      return isClosed
    },
    [Symbol.dispose]() {
      isClosed = true
      clearInterval(timer)
      watcher?.close()
      bump()
    },
  }
}

function createChanges(): Changes {
  const waiting = new Set<() => void>()
  let version = 0
  return {
    get version() {
      return version
    },
    bump() {
      version++
      for (const wake of waiting) wake()
    },
    async after(seen, signal) {
      if (version !== seen || signal?.aborted) return
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        waiting.add(wake)
        signal?.addEventListener('abort', wake)
      })
    },
  }
}
