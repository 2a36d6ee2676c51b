/** Reads a stream in pieces of the reader's choice. */
export interface ByteSource {
  /** Exactly so many bytes; fewer at the end of the stream. */
  read(size: number): Promise<Buffer>
  /** Some bytes, at most so many; none at the end. Nothing is copied. */
  take(size: number): Promise<Buffer>
}

export function openByteSource(input: AsyncIterator<Uint8Array>): ByteSource {
  let piece: Buffer = Buffer.alloc(0)

  const take = async (size: number): Promise<Buffer> => {
    while (piece.length === 0) {
      const next = await input.next()
      if (next.done) return piece
      const { buffer, byteOffset, byteLength } = next.value
      piece = Buffer.from(buffer, byteOffset, byteLength)
    }
    const taken = piece.subarray(0, size)
    piece = piece.subarray(taken.length)
    return taken
  }

  return {
    take,
    async read(size) {
      const first = await take(size)
      if (first.length === size || first.length === 0) return first
      const parts = [first]
      for (let left = size - first.length; left > 0;) {
        const part = await take(left)
        if (part.length === 0) break
        parts.push(part)
        left -= part.length
      }
      return Buffer.concat(parts)
    },
  }
}
