import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const ROOT = new URL('../../../../', import.meta.url)

const manifestSchema = z.object({ version: z.string(), gitHead: z.string().optional() })

/** `<version> (<commit>)`: the commit of a release, or that of the checkout that this runs from. */
export function readVersion(): string {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(at('package.json'), 'utf8')))
  const commit = manifest.gitHead ?? findCheckedOutCommit()
  return `${manifest.version} (${commit?.slice(0, 12) ?? 'none'})`
}

function findCheckedOutCommit(): string | undefined {
  if (!existsSync(at('.git/HEAD'))) return undefined
  const head = readFileSync(at('.git/HEAD'), 'utf8').trim()
  if (!head.startsWith('ref: ')) return head
  const ref = head.slice('ref: '.length)
  if (existsSync(at(`.git/${ref}`))) return readFileSync(at(`.git/${ref}`), 'utf8').trim()
  if (!existsSync(at('.git/packed-refs'))) return undefined
  const packed = readFileSync(at('.git/packed-refs'), 'utf8').split('\n')
  return packed.find((line) => line.endsWith(` ${ref}`))?.split(' ')[0]
}

function at(path: string): URL {
  return new URL(path, ROOT)
}
