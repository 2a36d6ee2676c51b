import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { NativeHost } from './host.js'
import type { Layout } from './layout.js'

/** Makes the folder of a run, and notes in it whose run it is. */
export function makeRunFolder({ layout, instance }: NativeHost): void {
  if (readInstance(layout) === instance) return
  mkdirSync(layout.dir, { recursive: true, mode: 0o711 })
  // one that an older version has made, or that lost its note to a power cut, gets one
  writeFileSync(layout.instance, instance, { mode: 0o600 })
}

/** Whose run a folder is of; undefined when it does not say. */
export function readInstance({ instance }: Pick<Layout, 'instance'>): string | undefined {
  try {
    return readFileSync(instance, 'utf8')
  } catch {
    return undefined // no such file, or not for us
  }
}
