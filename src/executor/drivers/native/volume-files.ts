import { constants } from 'node:fs'
import { open, readdir, readlink, type FileHandle } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { AppError } from '../../../shared/errors.js'
import type { VolumeFile } from '../driver.js'

/** The most files that one call reads. */
const MAX_FILES = 10_000
const CHUNK_BYTES = 131_072

/** Opens nothing but names it: no side effect on a device or a pipe. Missing in Node's constants. */
const O_PATH = 0o10000000

/**
 * The regular files at `paths` below `root`. Steps may be changing things meanwhile: whatever a
 * path leads to is first opened as a bare reference, checked to be where it should be, and read
 * through that reference.
 */
export async function* readVolumeFiles(
  root: string,
  paths: readonly string[],
): AsyncGenerator<VolumeFile> {
  const budget = { left: MAX_FILES }
  for (const path of paths) {
    const relative = posix.normalize(path).replace(/^\/+/, '').replace(/\/$/, '')
    if (relative === '..' || relative.startsWith('../')) throw outside(path)
    yield* readPath(root, relative === '' ? '.' : relative, budget)
  }
}

async function* readPath(
  root: string,
  path: string,
  budget: { left: number },
): AsyncGenerator<VolumeFile> {
  await using file = await openReference(root, path)
  if (!file) throw new AppError('volume_file_missing', `no such file in the volume: ${path}`)
  const stat = await file.stat()
  if (stat.isDirectory()) return yield* walk(root, path, file, budget)
  // devices, pipes and sockets are no files to read
  if (stat.isFile()) yield* readFile(path, file, stat.size, budget)
}

async function* walk(
  root: string,
  path: string,
  folder: FileHandle,
  budget: { left: number },
): AsyncGenerator<VolumeFile> {
  const entries = await readdir(`/proc/self/fd/${folder.fd}`, { withFileTypes: true })
  for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const child = posix.join(path, name)
    await using entry = await openReference(root, child, constants.O_NOFOLLOW)
    if (!entry) continue // removed meanwhile
    const stat = await entry.stat()
    if (stat.isDirectory()) yield* walk(root, child, entry, budget)
    else if (stat.isFile()) yield* readFile(child, entry, stat.size, budget)
  }
}

/** Undefined when nothing is there; throws when what is there is outside the root. */
async function openReference(
  root: string,
  path: string,
  flags = 0,
): Promise<FileHandle | undefined> {
  const file = await open(join(root, path), O_PATH | flags).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new AppError('volume_failed', `cannot read ${path} of the volume`, { cause: error })
  })
  if (!file) return undefined
  const place = await readlink(`/proc/self/fd/${file.fd}`)
  if (place === root || place.startsWith(`${root}/`)) return file
  await file.close()
  throw outside(path)
}

async function* readFile(
  path: string,
  reference: FileHandle,
  size: number,
  budget: { left: number },
): AsyncGenerator<VolumeFile> {
  if (budget.left-- === 0)
    throw new AppError('volume_failed', `more than ${MAX_FILES} files are asked for at once`)
  await using file = await open(`/proc/self/fd/${reference.fd}`, 'r')
  yield { path, size, content: readContent(file) }
}

async function* readContent(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null)
    if (bytesRead === 0) return
    yield chunk.subarray(0, bytesRead)
  }
}

function outside(path: string): AppError {
  return new AppError('volume_failed', `the path leads out of the volume: ${path.slice(0, 200)}`)
}
