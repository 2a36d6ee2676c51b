import { Readable } from 'node:stream'
import { createZstdCompress, zstdCompressSync } from 'node:zlib'

/** One entry of an archive, however wrong; shares nothing with the product. */
export interface Entry {
  name: string
  /** Undefined: a folder, unless `type` says otherwise. */
  content?: string
  /** The type in the header: `0` a file, `1` a hard link, `2` a symlink, `3` a device, `6` a fifo… */
  type?: string
  /** Where a link leads. */
  target?: string
  /** What the header says, when it is to lie. */
  size?: number
}

const BLOCK = 512

/** A GNU tar; folders without a trailing slash, as the reference writes them. */
export function toTar(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * BLOCK)])
}

export function toTarZst(entries: readonly Entry[]): Buffer {
  return zstdCompressSync(toTar(entries))
}

/** So many empty files, compressed while they are made. */
export function manyFiles(count: number): AsyncIterable<Buffer> {
  const source = function* (): Generator<Buffer> {
    for (let at = 0; at < count; at += 1_000)
      yield Buffer.concat(
        Array.from({ length: Math.min(1_000, count - at) }, (_, more) =>
          tarEntry({ name: `file-${at + more}`, content: '' }),
        ),
      )
    yield Buffer.alloc(2 * BLOCK)
  }
  return Readable.from(source()).pipe(createZstdCompress()) as AsyncIterable<Buffer>
}

function tarEntry({ name, content, type, target = '', size }: Entry): Buffer {
  const data = Buffer.from(content ?? '')
  const flag = type ?? (content === undefined ? '5' : '0')
  return Buffer.concat([
    ...longName('L', name),
    ...longName('K', target),
    tarHeader({ name, size: size ?? data.length, type: flag, target }),
    data,
    padding(data.length),
  ])
}

function longName(type: string, name: string): Buffer[] {
  const data = Buffer.from(`${name}\0`)
  if (data.length <= 101) return []
  const header = { name: '././@LongLink', size: data.length, type, target: '' }
  return [tarHeader(header), data, padding(data.length)]
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

export function tarHeader({
  name,
  size,
  type,
  target = '',
}: {
  name: string
  size: number
  type: string
  target?: string
}): Buffer {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, length: number): string =>
    `${value.toString(8).padStart(length - 1, '0')}\0`
  header.set(Buffer.from(name).subarray(0, 100), 0)
  header.write(octal(type === '5' ? 0o755 : 0o644, 8), 100)
  header.write(octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(1_700_000_000, 12), 108)
  header.write(' '.repeat(8), 148)
  header.write(type, 156)
  header.set(Buffer.from(target).subarray(0, 100), 157)
  header.write('ustar  \0', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
