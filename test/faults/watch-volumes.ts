import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { ENTRIES, type WatchedVolumes } from './watched-volumes.js'

/** A thread: opens the ledger of each volume as soon as it is there and tells its descriptor. */

/** A volume lives for several steps, and a container takes a quarter of a second to start. */
const LOOK_MS = 20

const { folder, suffix } = workerData as WatchedVolumes
const known = new Set<string>()

setInterval(() => {
  for (const name of readdirSync(folder)) if (name.endsWith(suffix)) keep(name)
}, LOOK_MS)

function keep(name: string): void {
  const fd = openIfThere(join(folder, name, '_data', ENTRIES))
  if (fd === undefined) return
  const key = `${name} ${fstatSync(fd).ino}`
  if (known.has(key)) return closeSync(fd)
  known.add(key)
  parentPort?.postMessage(fd)
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch {
    return undefined // no step has begun, or the volume is gone
  }
}
