import type { OutputStream } from '../../../shared/contract/statuses.js'

export interface Frame {
  stream: OutputStream
  bytes: Buffer
}

const HEADER_BYTES = 8

/**
 * Splits the engine's multiplexed output: each frame has a header of eight bytes, the first of
 * which is its stream (2: stderr) and the last four its length, big-endian. A frame comes out in
 * as many pieces as it came in, so nothing is kept but a header.
 */
export async function* demultiplex(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Frame, void, undefined> {
  const header = Buffer.alloc(HEADER_BYTES)
  let headerBytes = 0
  let left = 0
  for await (const piece of input) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    for (let at = 0; at < bytes.length;) {
      if (left === 0) {
        const copied = bytes.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes)
        headerBytes += copied
        at += copied
        if (headerBytes < HEADER_BYTES) break
        headerBytes = 0
        left = header.readUInt32BE(4)
        continue
      }
      const part = bytes.subarray(at, at + left)
      at += part.length
      left -= part.length
      yield { stream: header[0] === 2 ? 'stderr' : 'stdout', bytes: part }
    }
  }
}
