import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'

const authConfigSchema = z.object({
  servers: z.record(z.string(), z.object({ token: z.string() })),
})

/** Far beyond what a person's tokens take. */
const MAX_BYTES = 1_048_576

/** The token saved for a server. A file that is missing, unreadable or damaged has none. */
export function findSavedToken(file: string, url: string): string | undefined {
  try {
    if (statSync(file).size > MAX_BYTES) return undefined
    const { servers } = authConfigSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    const found = Object.entries(servers).find(([saved]) => saved.replace(/\/$/, '') === url)
    return found?.[1].token
  } catch {
    return undefined // the server then says that it wants to know who asks
  }
}
