import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logsPathOf, openDatabase } from '../../../src/shared/db/open.js'
import type { Actor } from './actor.js'

/** Somebody else holds the write lock of a database, at times for longer than SQLite waits. */
export const lockDatabase: Actor = async ({ server, random, count }) => {
  const { storage } = server()
  const db = openDatabase(random.pick([storage, logsPathOf(storage)]), { mode: 'write' })
  try {
    db.exec('begin immediate')
    await sleep(500 + random.int(6_000))
    db.exec('rollback')
  } finally {
    db.close()
  }
  count('databases locked')
}

/** The file system of the databases is full for a while: only where it is a small one of its own. */
export const fillDisk: Actor = async ({ server, random, count }) => {
  const path = join(dirname(server().storage), 'filling')
  const fd = openSync(path, 'w')
  try {
    for (const size of [65_536, 4_096]) writeUntilFull(fd, Buffer.alloc(size, 'x'))
    await sleep(500 + random.int(3_000))
  } finally {
    closeSync(fd)
    rmSync(path)
  }
  count('disks filled')
}

function writeUntilFull(fd: number, block: Buffer): void {
  try {
    for (;;) writeSync(fd, block)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
