import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { runCommand } from './process.js'

/** A file system of 48 MiB, in memory, that a test can fill without harm to anybody; needs root. */
export async function smallDisk(t: Pick<TestContext, 'after'>): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'pocketci-disk-'))
  t.after(async () => {
    await runCommand('umount', ['-l', dir])
    rmSync(dir, { recursive: true })
  })
  const { code, stderr } = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'none', dir])
  if (code !== 0) throw new Error(`mounting a small file system failed: ${stderr}`)
  return dir
}
