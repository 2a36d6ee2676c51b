import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { collect, runCommand, sendSignal, type Finished } from './process.js'
import { BIN } from './repo.js'
import { tempDir } from './temp-dir.js'
import { until } from './until.js'

/** A real `pocketci server` on a free port, with storage and workspaces of its own; native unless told otherwise. */
export interface TestServer {
  url: string
  /** Its database. */
  storage: string
  dir: string
  /** The supervisor. */
  child: ChildProcess
  /** What it has written to stderr so far. */
  log(): string
  /** The command line against this server. */
  cli(...args: string[]): Promise<Finished>
  api(path: string, init?: RequestInit): Promise<Response>
  /** Stores a TypeScript pipeline and answers its id. */
  setPipeline(name: string, content: string, more?: Record<string, unknown>): Promise<string>
  /** Stops it with SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
  /** SIGKILLs the supervisor and both tiers at once. */
  killTree(): Promise<void>
}

export interface ServerOptions {
  /** `server` (default) has both tiers. */
  command?: 'server' | 'api' | 'executor'
  args?: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Start again on what an earlier server left. */
  dir?: string
}

export async function startServer(
  t: Pick<TestContext, 'after'>,
  { command = 'server', args = [], env = {}, dir = tempDir(t) }: ServerOptions = {},
): Promise<TestServer> {
  // native steps run as a user of their own, who has to get to their folders
  chmodSync(dir, 0o711)
  const storage = join(dir, 'pocketci.db')
  const child = spawn(
    process.execPath,
    [
      '--enable-source-maps',
      BIN,
      command,
      '--port=0',
      '--driver=native',
      `--storage-sqlite-path=${storage}`,
      `--native-root=${join(dir, 'native')}`,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  )
  const stdout = collect(child, 'stdout')
  const log = collect(child, 'stderr')
  const exited = once(child, 'exit') as Promise<[number | null]>
  let isOver = false
  void exited.then(() => (isOver = true))
  t.after(async () => {
    if (isOver) return
    child.kill('SIGTERM')
    await exited
  })

  const url = await until('the server says its address', () => {
    if (isOver) throw new Error(`the server ended: ${stdout()}${log()}`)
    return /http:\/\/[\d.]+:\d+/.exec(stdout())?.[0]
  })

  const api = (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}${path}`, init)
  return {
    url,
    storage,
    dir,
    child,
    log,
    api,
    cli: (...[command = '', subcommand = '', ...rest]: string[]) =>
      runCommand(
        process.execPath,
        [BIN, command, subcommand, '--server-url', url, ...rest].filter(Boolean),
      ),
    async setPipeline(name, content, more = {}) {
      const response = await api(`/api/pipelines/${encodeURIComponent(name)}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ content, content_type: 'ts', ...more }),
      })
      const body = (await response.json()) as { id: string; error?: string }
      if (!response.ok) throw new Error(`set ${name}: ${response.status} ${body.error}`)
      return body.id
    },
    async stop() {
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    },
    async killTree() {
      const pids = [child.pid ?? 0, ...(await childrenOf(child.pid ?? 0))]
      for (const pid of pids) sendSignal(pid, 'SIGKILL')
      await exited
    },
  }
}

/** The tiers of a supervisor. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await runCommand('ps', ['-o', 'pid=', '--ppid', String(pid)])
  return stdout.split('\n').map(Number).filter(Boolean)
}
