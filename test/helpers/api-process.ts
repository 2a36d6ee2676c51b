import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { migrateStorage } from '../../src/shared/db/migrate.js'
import { join } from 'node:path'
import { tempDir } from './temp-dir.js'

/**
 * How an api without its usual writer keeps what it accepts: `memory` not at all, `single` with one
 * commit a request on its main thread, `normal` in groups whose commits sync nothing.
 */
export type Keeping = 'memory' | 'single' | 'normal'

/** The real api in a process of its own, with another writer: a floor, or a guard that must fail. */
export async function startApiProcess(
  t: Pick<TestContext, 'after'>,
  keeping: Keeping,
): Promise<{ url: string; pid: number }> {
  const path = join(tempDir(t), 'pocketci.db')
  migrateStorage({ storage: path, secrets: path })
  const child = fork(new URL('./api-process-main.js', import.meta.url), [keeping, path])
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(child, 'message')) as [string]
  return { url, pid: child.pid ?? 0 }
}
