import { AppError } from '../errors.js'
import { noContent, type TarEntry } from './tar-entry.js'

/** Far more than any working tree has, and far less than would fill a file system with names. */
const MAX_ENTRIES = 200_000
/** The longest path that Linux takes, and the longest part of one. */
const MAX_PATH_BYTES = 4_095
const MAX_NAME_BYTES = 255
/** Symlinks and the names of folders are kept to the end: this bounds the memory for them. */
const MAX_KEPT_CHARS = 16 * 1_048_576

/**
 * The entries of an archive from a stranger, as they may be extracted into an empty folder: plain
 * files, folders, and symlinks that stay inside. Throws `archive_invalid`, naming the entry, for
 * anything else.
 *
 * Symlinks come last and nothing lies below one, so that nothing is ever written through a link and
 * each is where its path says; then `..` at the start of a target leads where counting says.
 */
export async function* safeEntries(entries: AsyncIterable<TarEntry>): AsyncGenerator<TarEntry> {
  const links = new Map<string, TarEntry>()
  const folders = new Set<string>()
  let count = 0
  let keptChars = 0
  for await (const entry of entries) {
    if (++count > MAX_ENTRIES) throw invalid(`it has more than ${MAX_ENTRIES} entries`)
    const path = checkPath(entry.path)
    if (path === '') continue // the root itself
    const folder = entry.kind === 'folder' ? path : folderOf(path)
    if (!folders.has(folder)) {
      keptChars += folder.length
      folders.add(folder)
    }
    switch (entry.kind) {
      case 'file':
        links.delete(path) // the last one of a name counts
        yield { ...entry, path }
        break
      case 'folder':
        // steps have to get in, and to be able to clean up
        yield { ...entry, path, mode: entry.mode | 0o700 }
        break
      case 'symlink':
        checkTarget(path, entry.target)
        keptChars += path.length + entry.target.length
        links.set(path, { ...entry, path, content: noContent() })
        break
      default:
        throw refused(entry.path, `this kind of entry cannot be uploaded: ${entry.kind}`)
    }
    if (keptChars > MAX_KEPT_CHARS) throw invalid('its folders and symlinks are too many')
  }
  if (links.size > 0) checkPlaces(links, folders)
  yield* links.values()
}

/** In this order what lies below a link comes right behind it, before whatever else begins alike. */
function checkPlaces(links: ReadonlyMap<string, unknown>, folders: ReadonlySet<string>): void {
  const places = [...new Set([...links.keys(), ...folders])].map((path) =>
    path.replaceAll('/', '\0'),
  )
  places.sort()
  let link: string | undefined
  for (const place of places) {
    const path = place.replaceAll('\0', '/')
    if (link !== undefined && path.startsWith(`${link}/`))
      throw refused(path, `it lies below the symlink ${quote(link)}`)
    if (!links.has(path)) continue
    if (folders.has(path)) throw refused(path, 'it is both a folder and a symlink')
    link = path
  }
}

/** The path without `.` parts; empty for the root. */
function checkPath(path: string): string {
  if (path.startsWith('/')) throw refused(path, 'its path is absolute')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refused(path, 'its path contains ".."')
  if (path.includes('\0')) throw refused(path, 'its path contains a NUL byte')
  if (path.includes('\uFFFD')) throw refused(path, 'its path is not UTF-8')
  const clean = parts.join('/')
  if (Buffer.byteLength(clean) > MAX_PATH_BYTES)
    throw refused(path, `its path is longer than ${MAX_PATH_BYTES} bytes`)
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES))
    throw refused(path, `a name in its path is longer than ${MAX_NAME_BYTES} bytes`)
  return clean
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

/** `..` may only stand at the start: behind another link it would lead who knows where. */
function checkTarget(path: string, target: string): void {
  if (target === '') throw refused(path, 'the symlink has no target')
  if (target.startsWith('/')) throw refused(path, 'the symlink leads to an absolute path')
  if (/[\0\uFFFD]/.test(target)) throw refused(path, 'the target of the symlink is not UTF-8')
  if (Buffer.byteLength(target) > MAX_PATH_BYTES)
    throw refused(path, `the target of the symlink is longer than ${MAX_PATH_BYTES} bytes`)
  const parts = target.split('/').filter((part) => part !== '' && part !== '.')
  const ups = parts.findIndex((part) => part !== '..')
  const up = ups < 0 ? parts.length : ups
  if (up > path.split('/').length - 1 || parts.includes('..', up))
    throw refused(path, `the symlink leads out of the working directory: ${quote(target)}`)
}

function refused(path: string, reason: string): AppError {
  return invalid(`${quote(path)}: ${reason}`)
}

/** Names are a stranger's: escaped, and not too long. */
function quote(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path)
}

function invalid(message: string): AppError {
  return new AppError('archive_invalid', message)
}
