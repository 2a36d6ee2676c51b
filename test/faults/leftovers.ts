import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { openDatabase } from '../../src/shared/db/open.js'
import type { TestServer } from '../helpers/server.js'
import type { WorldEnd } from './world.js'

/** Runs one command of the engine that a world used. */
export type DockerCommand = (...args: string[]) => Promise<string>

/** What is still there of ended runs: folders, processes, uploads, pending clean-ups. */
export function nativeLeftovers({ storage }: TestServer, nativeRoot: string): string[] {
  return [
    ...namesIn(nativeRoot).filter((name) => name.startsWith('ci-')),
    ...processesWith(nativeRoot),
    ...namesIn(`${storage}-spool`),
    ...pendingCleanups(storage),
  ]
}

/** Containers, volumes and networks of a world's runs. */
export async function dockerLeftovers(
  docker: DockerCommand,
  { runs, server }: Pick<WorldEnd, 'runs' | 'server'>,
): Promise<string[]> {
  const format = ['--format', '{{.Label "pocketci.run"}}', '--filter', 'label=pocketci.run']
  const labels = await Promise.all([
    docker('ps', '-a', ...format),
    docker('volume', 'ls', ...format),
    docker('network', 'ls', ...format),
  ])
  const ours = new Set(runs.map(({ id }) => id))
  const left = labels.flatMap((text) => text.split('\n')).filter((id) => ours.has(id))
  return [...left, ...pendingCleanups(server.storage)]
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** Command lines that name a folder: the wrappers of steps. */
function processesWith(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => commandOf(pid))
    .filter((command) => command.includes(`${folder}/ci-`))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it has just ended
  }
}

function pendingCleanups(storage: string): string[] {
  const db = openDatabase(storage, { mode: 'read' })
  try {
    return db.prepare<[], string>('select run_id from run_cleanups').pluck().all()
  } finally {
    db.close()
  }
}
