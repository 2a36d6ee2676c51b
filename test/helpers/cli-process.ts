import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const BIN = fileURLToPath(new URL('../../src/shared/cli/bin.js', import.meta.url))

export interface CliResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface CliProcess {
  readonly pid: number
  readonly child: ChildProcessWithoutNullStreams
  readonly exited: Promise<CliResult>
  /** Resolves when stdout or stderr holds the text; rejects when the process ends before. */
  says(text: string): Promise<void>
}

export interface CliOptions {
  env?: Record<string, string>
  cwd?: string
  /** The runtime; the test's own unless given. */
  node?: string
  /** A process group of its own, as a terminal gives a job. */
  isGroup?: boolean
}

/** The real command in a process of its own, with nothing of this environment but PATH and HOME. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  const { env = {}, cwd, node = process.execPath, isGroup = false } = options
  const child = spawn(node, [BIN, ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    ...(cwd === undefined ? {} : { cwd }),
    detached: isGroup,
  })
  const output = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      for (const listener of listeners) listener()
    })
  const exited = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
  child.stdin.end()
  if (child.pid === undefined) throw new Error('the command was not started')
  return {
    pid: child.pid,
    child,
    exited,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!`${output.stdout}${output.stderr}`.includes(text)) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        void exited.then(() =>
          reject(new Error(`it ended without saying ${text}: ${output.stdout}${output.stderr}`)),
        )
        look()
      }),
  }
}

/** Runs the command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).exited
}
