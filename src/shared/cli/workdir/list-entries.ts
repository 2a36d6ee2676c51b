import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import picomatch from 'picomatch'
import { AppError, errorMessage } from '../../errors.js'
import { createGiveBack } from '../../give-back.js'
import { noContent, type TarEntry } from '../../tar/tar-entry.js'

export interface ListOptions {
  folder: string
  /** Globs as in doublestar: `*` within a name, `**` over folders, `{a,b}`, `[a-z]`. */
  ignore: readonly string[]
  /** Told of what is left out or cut. */
  warn(text: string): void
}

const READ_BYTES = 262_144

/**
 * The files and folders below a folder in lexical order, without the folder itself, without links,
 * devices and what is ignored. What vanishes meanwhile is left out; what grows is cut; what shrinks
 * or cannot be read is `workdir_unreadable`: half a file would be worse than none.
 */
export async function* listEntries(options: ListOptions): AsyncGenerator<TarEntry> {
  const { folder, ignore } = options
  const isMatch = picomatch(ignore.map(toPicomatch), PICOMATCH)
  // an ignored folder is not even entered
  const isIgnored = (path: string, stat: Stats): boolean =>
    isMatch(path) || (stat.isDirectory() && isMatch(`${path}/x`))
  const giveBack = createGiveBack()
  yield* walk(folder, '')

  async function* walk(dir: string, prefix: string): AsyncGenerator<TarEntry> {
    for (const name of namesIn(dir, prefix)) {
      const path = prefix + name
      const absolute = join(dir, name)
      if (name.includes('\uFFFD')) throw unreadable(path, 'its name is not UTF-8')
      const stat = findStat(absolute, path)
      if (!stat || isIgnored(path, stat)) continue
      if (stat.isDirectory()) {
        yield { ...headerOf(path, stat), kind: 'folder', content: noContent() }
        yield* walk(absolute, `${path}/`)
      } else if (stat.isFile()) yield* openFile(absolute, path)
    }
  }

  function namesIn(dir: string, prefix: string): string[] {
    try {
      return readdirSync(dir).sort()
    } catch (error) {
      if (isGone(error) && prefix !== '') return []
      throw unreadable(prefix === '' ? dir : prefix, errorMessage(error), error)
    }
  }

  function findStat(absolute: string, path: string): Stats | undefined {
    try {
      return lstatSync(absolute)
    } catch (error) {
      if (!isGone(error)) throw unreadable(path, errorMessage(error), error)
      options.warn(`${path} is gone: it is left out`)
      return undefined
    }
  }

  async function* openFile(absolute: string, path: string): AsyncGenerator<TarEntry> {
    let fd: number
    try {
      // a file that has become a link or a pipe meanwhile is neither followed nor waited for
      fd = openSync(absolute, constants.O_RDONLY | NO_SURPRISES)
    } catch (error) {
      if (!isGone(error)) throw unreadable(path, errorMessage(error), error)
      return options.warn(`${path} is gone: it is left out`)
    }
    try {
      const stat = fstatSync(fd)
      if (!stat.isFile()) return options.warn(`${path} is no file any more: it is left out`)
      const { size } = stat
      yield {
        ...headerOf(path, stat),
        kind: 'file',
        size,
        content: readContent({ fd, path, giveBack }, size),
      }
      if (fstatSync(fd).size > size)
        options.warn(`${path} grew while it was packed: only its first ${size} bytes are in it`)
    } finally {
      closeSync(fd)
    }
  }
}

/** Of picomatch's own language only what doublestar has too. */
const PICOMATCH = { dot: true, nonegate: true, noextglob: true, keepQuotes: true }

/** To picomatch `(a|b)` is a part of a regular expression, and `!` does not negate a class. */
function toPicomatch(glob: string): string {
  return glob.replaceAll(/\\.|\[!|[()|]/g, (part) => {
    if (part.startsWith('\\')) return part
    return part === '[!' ? '[^' : `\\${part}`
  })
}

/** Not on Windows. */
const NO_SURPRISES = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

function headerOf(path: string, { mode, mtimeMs }: Stats): Omit<TarEntry, 'kind' | 'content'> {
  return { path, mode: mode & 0o777, size: 0, mtime: Math.floor(mtimeMs / 1_000), target: '' }
}

interface OpenFile {
  fd: number
  path: string
  giveBack: (bytes: number) => void
}

async function* readContent(
  { fd, path, giveBack }: OpenFile,
  size: number,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const bytes = Buffer.allocUnsafe(Math.min(READ_BYTES, size - at))
    const bytesRead = readSync(fd, bytes, 0, bytes.length, at)
    if (bytesRead === 0) throw unreadable(path, 'it became shorter while it was packed')
    at += bytesRead
    yield bytes.subarray(0, bytesRead)
    giveBack(bytesRead)
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
}

function unreadable(path: string, reason: string, cause?: unknown): AppError {
  return new AppError(
    'workdir_unreadable',
    `cannot pack ${JSON.stringify(path)} of the working directory: ${reason}; correct it, or leave it out with --ignore`,
    { cause },
  )
}
