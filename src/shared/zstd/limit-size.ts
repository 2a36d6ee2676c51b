import { AppError } from '../errors.js'
import { createGiveBack } from '../give-back.js'

/** Passes data on; throws `archive_too_large` instead of the piece that would go over the limit. */
export async function* limitSize(
  input: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const giveBack = createGiveBack()
  let left = maxBytes
  for await (const piece of input) {
    left -= piece.length
    if (left < 0)
      throw new AppError(
        'archive_too_large',
        `decompressed size exceeds cap: more than ${maxBytes} bytes`,
      )
    yield piece
    giveBack(piece.length)
  }
}
