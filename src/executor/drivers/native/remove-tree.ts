import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { NativeHost } from './host.js'

/**
 * Removes folders whole, with rm(1): it works by descriptor, so that a step that is not quite dead
 * cannot lead it elsewhere by a link, and it does not keep this thread from its other work.
 */
export async function removeTree({ tools }: NativeHost, paths: readonly string[]): Promise<void> {
  const remove = () => promisify(execFile)(tools.rm, ['-rf', '--', ...paths], { env: {} })
  try {
    await remove()
  } catch {
    // folders that a step made read-only, which stop everyone but root
    await promisify(execFile)(tools.chmod, ['-R', 'u+rwX', '--', ...paths], { env: {} }).catch(
      () => undefined, // what matters is whether they can be removed now
    )
    await remove()
  }
}
