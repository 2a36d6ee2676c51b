import { existsSync, readFileSync, statfsSync, statSync, watch } from 'node:fs'
import { errorMessage } from '../../errors.js'
import { existingPart } from './existing-part.js'
import { fail, ok, warn, type Finding } from './finding.js'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
/** A step alone may print 64 MB. */
const MIN_FREE_BYTES = 100 * MIB
const GOOD_FREE_BYTES = GIB
const MIN_FREE_FILES = 1_000
/** The server has some 40 files open, a run about 20 more, and each reader of a page one. */
const MIN_OPEN_FILES = 256
const GOOD_OPEN_FILES = 1_024

/** Room on each disk that the folders are on. */
export function checkDisks(folders: readonly string[]): Finding[] {
  const places = new Map<number, string>()
  for (const folder of folders.map((path) => existingPart(path))) {
    const { dev } = statSync(folder)
    if (!places.has(dev)) places.set(dev, folder)
  }
  return [...places.values()].map((folder) => checkDisk(folder))
}

function checkDisk(folder: string): Finding {
  const check = 'disk'
  const { bavail, bsize, files, ffree } = statfsSync(folder)
  const free = bavail * bsize
  const text = `${formatBytes(free)} free below ${folder}`
  // some file systems count no files
  if (files > 0 && ffree < MIN_FREE_FILES)
    return fail(
      check,
      `room for ${ffree} more files below ${folder}`,
      'remove some, or use another disk',
    )
  if (free < MIN_FREE_BYTES) return fail(check, text, 'free some space, or use another disk')
  if (free < GOOD_FREE_BYTES) return warn(check, text, 'free some space soon')
  return ok(check, text)
}

/** Node has raised the soft limit to the hard one already. */
export function checkOpenFiles(limits = readText('/proc/self/limits')): Finding[] {
  const check = 'open files'
  const [, limit] = /^Max open files +(\S+)/m.exec(limits ?? '') ?? []
  if (limit === undefined) return []
  const text = `${limit} open files are allowed`
  const advice = 'raise it: ulimit -n 65536, or LimitNOFILE= of the service'
  if (limit === 'unlimited' || Number(limit) >= GOOD_OPEN_FILES) return [ok(check, text)]
  return [(Number(limit) < MIN_OPEN_FILES ? fail : warn)(check, text, advice)]
}

/** Processes hear of one another's commits through a watch of the folder. */
export function checkWatch(folder: string): Finding[] {
  const check = 'file watches'
  const place = existingPart(folder)
  try {
    watch(place).close()
    return [ok(check, `changes below ${place} are noticed at once`)]
  } catch (error) {
    return [
      warn(
        check,
        `${place} cannot be watched (${errorMessage(error)}): changes are noticed within a second`,
        'raise fs.inotify.max_user_instances and fs.inotify.max_user_watches with sysctl',
      ),
    ]
  }
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function formatBytes(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.floor(bytes / MIB)} MiB`
}
