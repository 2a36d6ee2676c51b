import { writeTar } from '../../tar/write-tar.js'
import { findPacker } from '../../zstd/command-zstd.js'
import { listEntries, type ListOptions } from './list-entries.js'

export interface PackOptions extends ListOptions {
  signal: AbortSignal
}

/** A folder as a zstd tar, made while it is read: nothing of it is kept in memory or on disk. */
export function packWorkdir({ signal, ...options }: PackOptions): AsyncGenerator<Buffer> {
  return findPacker().compress(writeTar(listEntries(options)), signal)
}
