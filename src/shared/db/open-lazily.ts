import type { Db } from './open.js'

/** Most runs read nothing: the connection is opened by the first that does. */
export function openLazily(open: () => Db): Disposable & { get(): Db } {
  let db: Db | undefined
  return { get: () => (db ??= open()), [Symbol.dispose]: () => void db?.close() }
}
