import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A Node that is too old for us, as on a machine where somebody just typed `pocketci`. */
export const OLD_NODE = [
  '/usr/bin',
  '/usr/local/bin',
  ...(process.env['PATH'] ?? '').split(delimiter),
]
  .map((folder) => join(folder, 'node'))
  .find((file) => existsSync(file) && majorOf(file) < 24)

function majorOf(node: string): number {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' })
  return Number.parseInt(version.slice(1), 10)
}
