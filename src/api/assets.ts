import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

export interface Asset {
  bytes: Buffer
  type: string
  /** Of the content; the version in its address and its ETag. */
  hash: string
}

/** The styles and scripts of the pages, by file name: few, small and read once at start. */
export type Assets = ReadonlyMap<string, Asset>

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=UTF-8',
  '.js': 'text/javascript; charset=UTF-8',
}

/** Reads the folder that the build writes; empty when there is none: the pages work without. */
export function loadAssets(folder: URL): Assets {
  if (!existsSync(folder)) return new Map()
  return new Map(
    readdirSync(folder).flatMap((name): [string, Asset][] => {
      const type = TYPES[extname(name)]
      if (!type) return []
      const bytes = readFileSync(new URL(name, folder))
      const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 16)
      return [[name, { bytes, type, hash }]]
    }),
  )
}

/** The address of an asset, which changes with its content. */
export function assetUrl(assets: Assets, name: string): string {
  const asset = assets.get(name)
  return asset ? `/static/${name}?v=${asset.hash}` : `/static/${name}`
}
