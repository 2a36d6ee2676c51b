import { AppError } from '../shared/errors.js'
import { createGiveBack } from '../shared/give-back.js'
import { readTar } from '../shared/tar/read-tar.js'
import { safeEntries } from '../shared/tar/safe-entries.js'
import type { Spool, SpoolFile } from '../shared/uploads/spool.js'
import { zlibZstd } from '../shared/zstd/zlib-zstd.js'

export interface ReceiveOptions {
  spool: Spool
  /** The most that it may decompress to. */
  maxBytes: number
  signal: AbortSignal
}

/**
 * Writes a compressed working directory to the spool while all of it is decompressed and looked
 * through, at the pace of the slower of the two: whoever sends something that could not be unpacked
 * hears so before there is a run, and of a file that is too large before it was sent. The file is synced; the caller disposes it. Throws
 * `archive_too_large` or `archive_invalid`, and then there is no file.
 */
export async function receiveUpload(
  content: AsyncIterable<Buffer>,
  { spool, maxBytes, signal }: ReceiveOptions,
): Promise<SpoolFile> {
  const file = await spool.create()
  try {
    const written = writeThrough(limitCompressed(content, maxBytes), file)
    const tar = zlibZstd.decompress(written, { maxBytes, signal })
    for await (const { size } of safeEntries(readTar(tar)))
      if (size > maxBytes) throw tooLarge(maxBytes)
    await file.sync()
    return file
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw describe(error, maxBytes)
  }
}

async function* writeThrough(
  content: AsyncIterable<Buffer>,
  file: SpoolFile,
): AsyncGenerator<Buffer> {
  for await (const piece of inLargePieces(content)) {
    const written = file.write(piece)
    written.catch(() => undefined) // thrown below, unless nobody reads on
    yield piece
    await written
  }
}

/** What the network brings is small, and each piece costs a turn of the disk's and of the decoder's thread. */
const PIECE_BYTES = 262_144

async function* inLargePieces(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const giveBack = createGiveBack()
  let parts: Buffer[] = []
  let bytes = 0
  for await (const part of content) {
    parts.push(part)
    bytes += part.length
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(parts)
    giveBack(2 * bytes) // the parts, and the whole
    parts = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

/** No compressor makes data longer than this, but frames of nothing can be sent without end. */
async function* limitCompressed(
  content: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  let left = maxBytes + Math.ceil(maxBytes / 64) + 1_048_576
  for await (const chunk of content) {
    left -= chunk.length
    if (left < 0) throw tooLarge(maxBytes)
    yield chunk
  }
}

function describe(error: unknown, maxBytes: number): unknown {
  if (!(error instanceof AppError)) return error
  if (error.code === 'archive_too_large') return tooLarge(maxBytes)
  if (error.code !== 'archive_invalid') return error
  return new AppError(error.code, `workdir: ${error.message}`, { cause: error })
}

function tooLarge(maxBytes: number): AppError {
  return new AppError(
    'archive_too_large',
    `workdir decompressed size exceeds cap: more than ${maxBytes / 1_048_576} MB (--max-workdir-mb of the server)`,
  )
}
