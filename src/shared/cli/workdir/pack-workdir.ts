import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { writeTar } from '../../tar/write-tar.js'
import { findPacker } from '../../zstd/command-zstd.js'
import { listEntries, type ListOptions } from './list-entries.js'

export interface PackOptions extends ListOptions {
  signal: AbortSignal
}

/** A folder as a zstd tar, made while it is read: nothing of it is kept in memory or on disk. */
export function packWorkdir({ signal, ...options }: PackOptions): AsyncGenerator<Buffer> {
  exposeCollector()
  return findPacker().compress(writeTar(listEntries(options)), signal)
}

/** For give-back.ts. The tiers are started with it; whoever starts the command gives Node no flags. */
function exposeCollector(): void {
  if (globalThis.gc) return
  setFlagsFromString('--expose-gc')
  globalThis.gc = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
}
