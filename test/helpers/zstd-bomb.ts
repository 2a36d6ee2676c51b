const BLOCK_BYTES = 131_072

/**
 * A zstd frame by hand: some bytes, and then one byte over and over. A block of 128 KiB of the same
 * byte takes four bytes, so that 2 MB become 60 GB.
 */
export function zstdBomb(head: Uint8Array, repeatedBytes: number, byte = 0): Buffer {
  const blocks = Math.ceil(repeatedBytes / BLOCK_BYTES)
  // magic, no checksum and no content size, a window of 2^17
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (17 - 10) << 3])
  const body = Buffer.alloc(blocks * 4)
  for (let block = 0; block < blocks; block++) {
    const isLast = block === blocks - 1
    body.writeUIntLE(blockHeader(BLOCK_BYTES, RLE, isLast), block * 4, 3)
    body[block * 4 + 3] = byte
  }
  const first = Buffer.alloc(3)
  first.writeUIntLE(blockHeader(head.length, RAW, false), 0, 3)
  return Buffer.concat([frame, first, head, body])
}

const RAW = 0
const RLE = 1

function blockHeader(size: number, type: number, isLast: boolean): number {
  return (size << 3) | (type << 1) | (isLast ? 1 : 0)
}
