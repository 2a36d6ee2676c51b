import { existsSync } from 'node:fs'
import { dirname } from 'node:path'

/** The path itself, or what of it is there already. */
export function existingPart(path: string): string {
  return existsSync(path) ? path : existingPart(dirname(path))
}
