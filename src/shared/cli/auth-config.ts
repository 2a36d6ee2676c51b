import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Environment } from '../config/flag.js'

const authConfigSchema = z.object({
  servers: z.record(z.string(), z.object({ token: z.string() })),
})

/** Far beyond what a person's tokens take. */
const MAX_BYTES = 1_048_576

/** Where tokens are kept unless --config-file says otherwise. */
export function authConfigFile(env: Environment): string {
  return join(env['HOME'] ?? homedir(), '.pocketci', 'auth.config')
}

/** The token saved for a server. A file that is missing, unreadable or damaged has none. */
export function findSavedToken(file: string, url: string): string | undefined {
  try {
    if (statSync(file).size > MAX_BYTES) return undefined
    const { servers } = readConfig(file)
    const found = Object.entries(servers).find(([saved]) => saved.replace(/\/$/, '') === url)
    return found?.[1].token
  } catch {
    return undefined // the server then says that it wants to know who asks
  }
}

/**
 * Keeps a server's token, beside those of others, in a file that nobody else reads. A file that is damaged is
 * an error: tokens of others may be in it.
 */
export function saveToken(file: string, url: string, token: string): void {
  const { servers } = exists(file) ? readConfig(file) : { servers: {} }
  const text = `${JSON.stringify({ servers: { ...servers, [url]: { token } } }, null, 2)}\n`
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // whole or not at all; a draft of an earlier try may have another mode
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  chmodSync(draft, 0o600)
  renameSync(draft, file)
}

function readConfig(file: string): z.infer<typeof authConfigSchema> {
  return authConfigSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined
}
