import { checksumOf } from './parse-header.js'
import { BLOCK_BYTES, paddingOf, type TarEntry, type TarHeader, type TarKind } from './tar-entry.js'

/** Small pieces are put together into blocks of this size: each piece costs a turn at every stage. */
const PIECE_BYTES = 131_072

/**
 * Files, folders and symlinks as a tar stream in GNU format, owned by nobody in particular. Throws
 * when content is not as long as its header says: no archive is better than a wrong one.
 */
export async function* writeTar(
  entries: AsyncIterable<TarEntry> | Iterable<TarEntry>,
): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES)
  let filled = 0
  for await (const bytes of encodeEntries(entries)) {
    if (filled > 0 && filled + bytes.length > PIECE_BYTES) {
      yield piece.subarray(0, filled)
      piece = Buffer.allocUnsafe(PIECE_BYTES)
      filled = 0
    }
    if (bytes.length >= PIECE_BYTES) yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    else {
      piece.set(bytes, filled)
      filled += bytes.length
    }
  }
  yield piece.subarray(0, filled)
}

async function* encodeEntries(
  entries: AsyncIterable<TarEntry> | Iterable<TarEntry>,
): AsyncGenerator<Uint8Array> {
  for await (const entry of entries) {
    yield encodeHeader(entry)
    if (entry.kind !== 'file') continue
    let left = entry.size
    for await (const bytes of entry.content) {
      left -= bytes.length
      if (left < 0) break
      yield bytes
    }
    if (left !== 0) throw new Error(`the content of ${entry.path} is not ${entry.size} bytes long`)
    yield ZEROS.subarray(0, paddingOf(entry.size))
  }
  yield ZEROS
}

/** Two empty blocks end an archive. */
const ZEROS = new Uint8Array(2 * BLOCK_BYTES)

/** A header, with long names before it where it needs them. */
export function encodeHeader(header: TarHeader): Buffer {
  const path = header.kind === 'folder' ? `${header.path}/` : header.path
  const parts = [
    ...encodeLong('L', path),
    ...encodeLong('K', header.target),
    encodeBlock({ ...header, path, flag: FLAGS[header.kind] ?? '0' }),
  ]
  return Buffer.concat(parts)
}

const FLAGS: Partial<Record<TarKind, string>> = { file: '0', folder: '5', symlink: '2' }

/** What fits its field of 100 bytes needs nothing before it. */
function encodeLong(flag: 'L' | 'K', text: string): Buffer[] {
  const bytes = Buffer.from(`${text}\0`)
  if (bytes.length <= 101) return []
  const path = '././@LongLink'
  const header = { path, flag, mode: 0o644, size: bytes.length, mtime: 0, target: '' }
  return [encodeBlock(header), bytes, Buffer.alloc(paddingOf(bytes.length))]
}

function encodeBlock({
  path,
  flag,
  mode,
  size,
  mtime,
  target,
}: Omit<TarHeader, 'kind'> & { flag: string }): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.set(Buffer.from(path).subarray(0, 100), 0)
  block.write(octal(mode, 8), 100)
  block.write(octal(0, 8), 108)
  block.write(octal(0, 8), 116)
  if (size < 8 ** 11) block.write(octal(size, 12), 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  block.write(octal(Math.min(Math.max(mtime, 0), 8 ** 11 - 1), 12), 136)
  block.write(flag, 156)
  block.set(Buffer.from(target).subarray(0, 100), 157)
  block.write('ustar  \0', 257)
  block.write(`${octal(checksumOf(block), 7)}\0 `, 148)
  return block
}

/** As many digits as fit the field before the byte that ends it. */
function octal(value: number, length: number): string {
  return value.toString(8).padStart(length - 1, '0')
}
