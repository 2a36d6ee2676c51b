import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { nanoid } from 'nanoid'
import { AppError } from '../errors.js'

/**
 * The folder where uploads wait for their run. It is beside the database but not in its folder,
 * whose changes wake the executors.
 */
export interface Spool {
  /** A new, empty file; disposing it removes it unless it was kept. */
  create(): Promise<SpoolFile>
  /** The content of a file. Throws `upload_missing`. */
  read(name: string): AsyncIterable<Buffer>
  /** Safe to repeat. */
  remove(name: string): Promise<void>
  /** Removes files that nobody owns and that have not been written to for a while. */
  sweep(isOwned: (name: string) => boolean): Promise<string[]>
}

export interface SpoolFile extends AsyncDisposable {
  readonly name: string
  /** Resolves when the bytes are with the system; at most one call at a time. Throws `storage_full`. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when file and name would survive a power cut. No more writes after that. */
  sync(): Promise<void>
  /** It is a run's now. */
  keep(): void
}

/**
 * Longer than the longest pause of an upload, and than a file can be complete and its run not yet
 * committed: whatever is older and nobody's was left by a crash.
 */
const ABANDONED_MS = 600_000

const READ_BYTES = 262_144

/** The spool that belongs to a main database. */
export function openSpool(storagePath: string): Spool {
  const folder = `${storagePath}-spool`
  const remove = (name: string): Promise<void> => rm(join(folder, name), { force: true })

  return {
    async create() {
      const isNew = await mkdir(folder, { recursive: true, mode: 0o700 })
      if (isNew !== undefined) await syncFolder(dirname(folder))
      const name = `${nanoid()}.tar.zst`
      const file = await open(join(folder, name), 'wx', 0o600)
      return spoolFile({ folder, name, file, remove })
    },

    async *read(name) {
      try {
        yield* createReadStream(join(folder, name), { highWaterMark: READ_BYTES })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        throw new AppError('upload_missing', 'the uploaded working directory is gone', {
          cause: error,
        })
      }
    },

    remove,

    async sweep(isOwned) {
      // the files first: one that appears later has its row later
      const old = await listOld(folder)
      const abandoned = old.filter((name) => !isOwned(name))
      await Promise.all(abandoned.map((name) => remove(name)))
      return abandoned
    },
  }
}

interface OpenFile {
  folder: string
  name: string
  file: FileHandle
  remove: (name: string) => Promise<void>
}

function spoolFile({ folder, name, file, remove }: OpenFile): SpoolFile {
  let isKept = false
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await file.close()
  }
  return {
    name,
    async write(bytes) {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, at).catch(asFull)
        at += bytesWritten
      }
    },
    async sync() {
      await file.sync().catch(asFull)
      await close()
      await syncFolder(folder)
    },
    keep: () => void (isKept = true),
    async [Symbol.asyncDispose]() {
      await close()
      if (!isKept) await remove(name)
    },
  }
}

/** What the disk has no room for is nobody's mistake, and may go better later. */
function asFull(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') throw error
  throw new AppError('storage_full', 'the disk is full; free some space', { cause: error })
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

async function listOld(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] // nothing was ever uploaded
    throw error
  })
  const oldest = Date.now() - ABANDONED_MS
  const ages = await Promise.all(names.map(async (name) => ({ name, at: await changedAt(name) })))
  return ages.filter(({ at }) => at < oldest).map(({ name }) => name)

  async function changedAt(name: string): Promise<number> {
    // one that is gone by now counts as new: there is nothing to do
    return (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? Infinity
  }
}
