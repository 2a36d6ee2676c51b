import { AppError } from '../../shared/errors.js'
import { noContent, type TarEntry } from '../../shared/tar/tar-entry.js'

/** Far more than any working tree has, and far less than would fill a file system with names. */
const MAX_ENTRIES = 200_000
/** The longest path that Linux takes, and the longest part of one. */
const MAX_PATH_BYTES = 4_095
const MAX_NAME_BYTES = 255
/** Symlinks are held back: this bounds the memory for it. */
const MAX_LINK_CHARS = 16 * 1_048_576

/**
 * The entries of an archive from a stranger, as they may be extracted into an empty folder: plain
 * files, folders, and symlinks that stay inside. Throws `archive_invalid`, naming the entry, for
 * anything else.
 *
 * Symlinks come last and never below one another, so that nothing is ever written through a link
 * and each is where its path says; then `..` at the start of a target leads where counting says.
 */
export async function* safeEntries(entries: AsyncIterable<TarEntry>): AsyncGenerator<TarEntry> {
  const links = new Map<string, TarEntry>()
  let count = 0
  let linkChars = 0
  for await (const entry of entries) {
    if (++count > MAX_ENTRIES) throw invalid(`it has more than ${MAX_ENTRIES} entries`)
    const path = checkPath(entry.path)
    if (path === '') continue // the root itself
    switch (entry.kind) {
      case 'file':
        yield { ...entry, path }
        break
      case 'folder':
        // steps have to get in, and to be able to clean up
        yield { ...entry, path, mode: entry.mode | 0o700 }
        break
      case 'symlink':
        checkTarget(path, entry.target)
        linkChars += path.length + entry.target.length
        if (linkChars > MAX_LINK_CHARS) throw invalid('its symlinks are too many')
        links.set(path, { ...entry, path, content: noContent() })
        break
      default:
        throw refused(entry.path, `a ${entry.kind} cannot be uploaded`)
    }
  }
  for (const [path, link] of links) {
    const outer = foldersAbove(path).find((folder) => links.has(folder))
    if (outer !== undefined) throw refused(path, `it lies below the symlink ${quote(outer)}`)
    yield link
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

function foldersAbove(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'))
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
