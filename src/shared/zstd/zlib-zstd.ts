import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress, type ZstdDecompress } from 'node:zlib'
import { AppError, errorMessage } from '../errors.js'
import { limitSize } from './limit-size.js'
import type { Zstd } from './zstd.js'

/** With Node's default of 16 KiB decompression takes four times as long. */
const CHUNK_BYTES = 262_144
/** 8 MiB, as much as level 19 asks for: whoever sends a frame decides how much memory it takes. */
const MAX_WINDOW_LOG = 23
/** Starting a frame is not free; parallel compressors make some of each few megabytes. */
const MAX_FRAMES = 10_000

/** Node's own zstd: for what strangers send, and where there is no other. */
export const zlibZstd: Zstd = {
  name: 'zlib',

  async *compress(input, signal) {
    const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 }
    const zstd = createZstdCompress({ chunkSize: CHUNK_BYTES, params })
    const fed = pipeline(Readable.from(input, { objectMode: false }), zstd, { signal })
    fed.catch(() => undefined) // reading from it throws the same
    try {
      yield* zstd
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      zstd.destroy()
    }
  },

  decompress: (input, { maxBytes, signal }) => limitSize(decodeFrames(input, signal), maxBytes),
}

/**
 * Node stops without a word at the end of a frame, unless the next one begins with a new piece of
 * input: what it left is given to a new decoder.
 */
async function* decodeFrames(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const source = input[Symbol.asyncIterator]()
  let rest: Uint8Array | undefined
  const next = async (): Promise<Uint8Array | undefined> => {
    const piece = rest
    rest = undefined
    if (piece) return piece
    const { done, value } = await source.next()
    return done ? undefined : value
  }
  try {
    for (let frame = 0; frame === 0 || rest; frame++) {
      if (frame === MAX_FRAMES) throw invalid(`it has more than ${MAX_FRAMES} frames`)
      rest = yield* decode(next, signal)
    }
  } finally {
    // not awaited: it may be waiting for something that never comes
    source.return?.().catch(() => undefined)
  }
}

/** Answers what is left of the input's last piece when the decoder has enough. */
async function* decode(
  next: () => Promise<Uint8Array | undefined>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, Uint8Array | undefined> {
  const params = { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG }
  const zstd = createZstdDecompress({ chunkSize: CHUNK_BYTES, params })
  const abort = (): void => void zstd.destroy(new Error('aborted'))
  signal.addEventListener('abort', abort, { once: true })
  const fed = feed(zstd, next)
  try {
    signal.throwIfAborted()
    yield* zstd as AsyncIterable<Buffer>
    const { bytes, last } = fed
    const unused = bytes - zstd.bytesWritten
    return unused === 0 ? undefined : last.subarray(last.length - unused)
  } catch (error) {
    signal.throwIfAborted()
    throw fed.failure ?? explain(error)
  } finally {
    signal.removeEventListener('abort', abort)
    zstd.destroy()
  }
}

/** What went into a decoder. */
interface Fed {
  bytes: number
  last: Uint8Array
  /** What the input threw. */
  failure: unknown
}

/** Writes piece by piece, each when the one before has been decoded and its output read. */
function feed(zstd: ZstdDecompress, next: () => Promise<Uint8Array | undefined>): Fed {
  const fed: Fed = { bytes: 0, last: new Uint8Array(), failure: undefined }
  let goOn = (): void => undefined
  zstd.once('close', () => goOn())
  const write = async (): Promise<void> => {
    while (!zstd.destroyed) {
      const piece = await next()
      if (!piece) return void zstd.end()
      if (zstd.destroyed) return
      fed.bytes += piece.length
      fed.last = piece
      await new Promise<void>((resolve) => {
        goOn = resolve
        zstd.write(piece, () => resolve())
      })
      // it has enough: the next piece is for another one
      if (zstd.bytesWritten < fed.bytes) return
    }
  }
  write().catch((error: unknown) => {
    if (zstd.destroyed) return
    fed.failure = error
    zstd.destroy(error instanceof Error ? error : new Error(errorMessage(error)))
  })
  return fed
}

function explain(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'Z_BUF_ERROR') return invalid('it is truncated', error)
  if (!code.startsWith('ZSTD_error_')) return error
  switch (code) {
    case 'ZSTD_error_prefix_unknown':
      return invalid('it is not zstd data', error)
    case 'ZSTD_error_frameParameter_windowTooLarge':
      return invalid(
        `it needs a window of more than ${2 ** MAX_WINDOW_LOG / 1_048_576} MiB; compress it with level 19 or less and without --long`,
        error,
      )
    default:
      return invalid(`it is damaged (${errorMessage(error)})`, error)
  }
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError('archive_invalid', message, { cause })
}
