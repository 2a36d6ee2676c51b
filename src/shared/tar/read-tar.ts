import { AppError } from '../errors.js'
import { openByteSource, type ByteSource } from './byte-source.js'
import { parsePax, parseRawHeader, type RawHeader } from './parse-header.js'
import { BLOCK_BYTES, noContent, paddingOf, type TarEntry, type TarKind } from './tar-entry.js'

/** Of the long names and extended headers that may stand before one entry, each. */
const MAX_EXTENSION_BYTES = 65_536

/**
 * The entries of a tar stream in the old, ustar, pax and GNU formats, with bounded memory. Says
 * nothing about whether their names are good to be extracted. Reads on to the end of the stream,
 * so that whatever produces it can check its own end. Throws `archive_invalid`.
 */
export async function* readTar(input: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const iterator = input[Symbol.asyncIterator]()
  const source = openByteSource(iterator)
  try {
    for (;;) {
      const header = await readHeader(source)
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
    const size = 0
    yield { path, kind, mode, mtime, size, target, content: noContent() }
    return
  }
  const { size } = header
  const rest = { bytes: size }
  yield { path, kind, mode, mtime, size, target: '', content: readContent(source, rest) }
  await skip(source, rest.bytes + paddingOf(size))
}

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

/** The next header with what stands before it; undefined at the end of the archive. */
async function readHeader(source: ByteSource): Promise<FullHeader | undefined> {
  let longPath: string | undefined
  let longTarget: string | undefined
  let pax: ReadonlyMap<string, string> = new Map()
  for (let isFirst = true; ; isFirst = false) {
    const block = await source.read(BLOCK_BYTES)
    if (block.length === 0 && isFirst) return undefined
    if (block.length < BLOCK_BYTES) throw cutOff()
    if (isFirst && block.every((byte) => byte === 0)) return undefined
    const raw = parseRawHeader(block)
    switch (raw.flag) {
      case 'L':
        longPath = textOf(await readExtension(source, raw))
        break
      case 'K':
        longTarget = textOf(await readExtension(source, raw))
        break
      case 'x':
      case 'X':
        pax = parsePax(await readExtension(source, raw))
        break
      case 'g': // what git and others note about the archive as a whole
        await readExtension(source, raw)
        break
      default:
        return complete(raw, { longPath, longTarget, pax })
    }
  }
}

async function readExtension(source: ByteSource, { size }: RawHeader): Promise<Buffer> {
  if (size > MAX_EXTENSION_BYTES)
    throw invalid(`a name or header in it is longer than ${MAX_EXTENSION_BYTES} bytes`)
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
    path: path.replace(/(?<=.)\/+$/, ''),
    target,
    size: numberOf(pax.get('size')) ?? raw.size,
    mtime: numberOf(pax.get('mtime')) ?? raw.mtime,
  }
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
  return invalid('its tar data ends in the middle of an entry')
}

function invalid(message: string): AppError {
  return new AppError('archive_invalid', message)
}
