import { AppError } from '../errors.js'
import { openByteSource, type ByteSource } from './byte-source.js'
import { parsePax, parseRawHeader, type RawHeader } from './parse-header.js'
import { BLOCK_BYTES, noContent, paddingOf, type TarEntry, type TarKind } from './tar-entry.js'

/** Of each of the long names and extended headers that stand before an entry. */
const MAX_EXTENSION_BYTES = 65_536
/** Of all of them: they cost far more time than content, and shrink to nothing when compressed. */
const MAX_EXTENSIONS_BYTES = 64 * 1_048_576

/**
 * The entries of a tar stream in the old, ustar, pax and GNU formats, with bounded memory. Says
 * nothing about whether their names are good to be extracted. Reads on to the end of the stream,
 * so that whatever produces it can check its own end. Throws `archive_invalid`.
 */
export async function* readTar(input: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const iterator = input[Symbol.asyncIterator]()
  const source = openByteSource(iterator)
  const budget = { left: MAX_EXTENSIONS_BYTES }
  try {
    for (let isEmpty = true; ; isEmpty = false) {
      const header = await readHeader(source, { budget, isEmpty })
      if (!header) break
      yield* readEntry(source, header)
    }
    while ((await source.take(Number.MAX_SAFE_INTEGER)).length > 0);
  } finally {
    await iterator.return?.()
  }
}

async function* readEntry(source: ByteSource, header: FullHeader): AsyncGenerator<TarEntry> {
  const { path, kind, mode, mtime, target } = header
  if (kind !== 'file') {
    yield { path, kind, mode, mtime, size: 0, target, content: noContent() }
    if (HAVE_CONTENT.has(kind)) await skip(source, header.size + paddingOf(header.size))
    return
  }
  const { size } = header
  const rest = { bytes: size }
  yield { path, kind, mode, mtime, size, target: '', content: readContent(source, rest) }
  await skip(source, rest.bytes + paddingOf(size))
}

/** Besides files. All others have none, whatever size they state. */
const HAVE_CONTENT: ReadonlySet<TarKind> = new Set(['sparse file', 'entry of an unknown type'])

async function* readContent(
  source: ByteSource,
  rest: { bytes: number },
): AsyncGenerator<Uint8Array> {
  while (rest.bytes > 0) {
    const piece = await source.take(rest.bytes)
    if (piece.length === 0) throw cutOff()
    rest.bytes -= piece.length
    yield piece
  }
}

async function skip(source: ByteSource, bytes: number): Promise<void> {
  for (let left = bytes; left > 0;) {
    const piece = await source.take(left)
    if (piece.length === 0) throw cutOff()
    left -= piece.length
  }
}

interface FullHeader extends Omit<RawHeader, 'flag'> {
  kind: TarKind
}

interface HeaderOptions {
  /** What extensions may still be read. */
  budget: { left: number }
  /** Nothing of the archive was read yet. */
  isEmpty: boolean
}

/** The next header with what stands before it; undefined at the end of the archive. */
async function readHeader(
  source: ByteSource,
  { budget, isEmpty }: HeaderOptions,
): Promise<FullHeader | undefined> {
  let longPath: string | undefined
  let longTarget: string | undefined
  let pax: ReadonlyMap<string, string> = new Map()
  for (let isFirst = true; ; isFirst = false) {
    const block = await source.read(BLOCK_BYTES)
    if (block.length === 0 && isFirst && !isEmpty) return undefined
    if (block.length < BLOCK_BYTES) throw cutOff()
    if (isFirst && block.every((byte) => byte === 0)) return undefined
    const raw = parseRawHeader(block)
    switch (raw.flag) {
      case 'L':
        longPath = textOf(await readExtension(source, raw, budget))
        break
      case 'K':
        longTarget = textOf(await readExtension(source, raw, budget))
        break
      case 'x':
      case 'X':
        pax = parsePax(await readExtension(source, raw, budget))
        break
      case 'g': // what git and others note about the archive as a whole
        await readExtension(source, raw, budget)
        break
      default:
        return complete(raw, { longPath, longTarget, pax })
    }
  }
}

async function readExtension(
  source: ByteSource,
  { size }: RawHeader,
  budget: HeaderOptions['budget'],
): Promise<Buffer> {
  if (size > MAX_EXTENSION_BYTES)
    throw invalid(`a name or header in it is longer than ${MAX_EXTENSION_BYTES} bytes`)
  budget.left -= size
  if (budget.left < 0)
    throw invalid(`its long names and headers are more than ${MAX_EXTENSIONS_BYTES} bytes in all`)
  const bytes = await source.read(size)
  if (bytes.length < size) throw cutOff()
  await skip(source, paddingOf(size))
  return bytes
}

interface Extensions {
  longPath: string | undefined
  longTarget: string | undefined
  pax: ReadonlyMap<string, string>
}

function complete(
  { flag, ...raw }: RawHeader,
  { longPath, longTarget, pax }: Extensions,
): FullHeader {
  const path = pax.get('path') ?? longPath ?? raw.path
  const target = pax.get('linkpath') ?? longTarget ?? raw.target
  const isSparse = [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))
  const isFolder = flag === '5' || (isFile(flag) && path.endsWith('/'))
  const kind = isSparse ? 'sparse file' : isFolder ? 'folder' : kindOf(flag)
  return {
    ...raw,
    kind,
    path: withoutSlashes(path),
    target,
    size: sizeOf(pax.get('size')) ?? raw.size,
    mtime: numberOf(pax.get('mtime')) ?? raw.mtime,
  }
}

/** Without those at its end; a regular expression would take quadratic time. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (end > 1 && path[end - 1] === '/') end--
  return path.slice(0, end)
}

function isFile(flag: string): boolean {
  return flag === '0' || flag === '\0' || flag === '7'
}

function kindOf(flag: string): TarKind {
  if (isFile(flag)) return 'file'
  return KINDS[flag] ?? 'entry of an unknown type'
}

const KINDS: Readonly<Record<string, TarKind>> = {
  '1': 'hard link',
  '2': 'symlink',
  '3': 'character device',
  '4': 'block device',
  '6': 'fifo',
  S: 'sparse file',
}

function sizeOf(text: string | undefined): number | undefined {
  const size = numberOf(text)
  if (size !== undefined && size < 0) throw invalid('the size of an entry is wrong')
  return size
}

/** Whole, from a decimal number; undefined when the key is not there. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Math.trunc(Number(text))
  if (text.trim() === '' || !Number.isSafeInteger(number)) throw invalid('a number in it is wrong')
  return number
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

function cutOff(): AppError {
  return invalid('its tar data is empty, or ends in the middle of an entry')
}

function invalid(message: string): AppError {
  return new AppError('archive_invalid', message)
}
