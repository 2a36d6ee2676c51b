import { chmodSync, closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { StepLedger } from './scenario.js'
import { ENTRIES, type WatchedVolumes } from './watched-volumes.js'

/** What really ran, by the word of the steps alone: a line for each time that one was begun. */
export interface OutsideLedger extends Disposable {
  step: StepLedger
  /** How often each step of a run was begun, by name. */
  countsOf(runId: string): Map<string, number>
}

/** Of native steps: a file beside the server's folders. */
export function openFileLedger(dir: string): OutsideLedger {
  const path = join(dir, 'ledger')
  writeFileSync(path, '')
  chmodSync(path, 0o666) // steps are another user
  const fd = openSync(path, 'r')
  return {
    step: { path },
    countsOf: (runId) => count([fd], runId),
    [Symbol.dispose]: () => closeSync(fd),
  }
}

/**
 * Of steps in containers: a file in a volume of the run, which is opened where the engine keeps it as
 * soon as it is there. It stays readable when the run has ended and the volume is gone. A volume that
 * is made anew has another file, and both count.
 */
export function openVolumeLedger(engineRoot: string, token: string): OutsideLedger {
  const name = `ledger-${token}`
  const files: number[] = []
  // a thread of its own: a test that waits for a lock would be blind meanwhile
  const workerData: WatchedVolumes = { folder: join(engineRoot, 'volumes'), suffix: `-${name}` }
  const thread = new Worker(new URL('./watch-volumes.js', import.meta.url), { workerData })
  thread.on('message', (fd: number) => files.push(fd))
  return {
    step: { path: `/ledger/${ENTRIES}`, volume: { name, place: '/ledger' } },
    countsOf: (runId) => count(files, runId),
    [Symbol.dispose]: () => void thread.terminate(), // closes what it has opened
  }
}

function count(files: readonly number[], runId: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const fd of files)
    for (const line of readAll(fd).split('\n')) {
      const [run, step = ''] = line.split(' ')
      if (run === runId) counts.set(step, (counts.get(step) ?? 0) + 1)
    }
  return counts
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size)
  readSync(fd, bytes, 0, bytes.length, 0)
  return bytes.toString()
}
