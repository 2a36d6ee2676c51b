/** What a tar entry is. The last ones are told apart only to be refused by their name. */
export type TarKind =
  | 'file'
  | 'folder'
  | 'symlink'
  | 'hard link'
  | 'character device'
  | 'block device'
  | 'fifo'
  | 'sparse file'
  | 'entry of an unknown type'

export interface TarHeader {
  /** As it is in the archive, but for slashes at its end. */
  path: string
  kind: TarKind
  /** Permission bits. */
  mode: number
  /** Bytes of content: 0 for all but files. */
  size: number
  /** Unix seconds. */
  mtime: number
  /** Where a link leads; empty for everything else. */
  target: string
}

export interface TarEntry extends TarHeader {
  /** Of a file: `size` bytes. To be read, if at all, before the next entry is asked for. */
  content: AsyncIterable<Uint8Array>
}

export const BLOCK_BYTES = 512

/** Bytes that fill the last block of some content. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** The content of what has none. */
export async function* noContent(): AsyncGenerator<Uint8Array> {
  // nothing
}
