/**
 * Compression of streams, at the pace of the reader on both sides. Ending an iteration early, or
 * aborting, lets go of everything at once; an abort rejects with its reason, and what the input
 * throws comes through as it is.
 */
export interface Zstd {
  readonly name: string

  /** One frame, at a fast level, with a checksum. */
  compress(input: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Buffer>

  /**
   * The content of all frames. Throws `archive_invalid` for what is not zstd, truncated or damaged,
   * and `archive_too_large` as soon as there are more than `maxBytes`.
   */
  decompress(
    input: AsyncIterable<Uint8Array>,
    options: { maxBytes: number; signal: AbortSignal },
  ): AsyncGenerator<Buffer>
}
