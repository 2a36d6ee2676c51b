import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a command to its end; a test's output is small. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string; timeoutMs?: number } = {},
): Promise<Finished> {
  const { env = process.env, cwd, input = '', timeoutMs = 120_000 } = options
  const child = spawn(command, args, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: 'pipe',
    timeout: timeoutMs,
  })
  const stdout = collect(child, 'stdout')
  const stderr = collect(child, 'stderr')
  child.stdin.on('error', () => undefined) // it may end without reading
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: stdout(), stderr: stderr() }
}

/** Keeps what a child writes; call the result for the text so far. */
export function collect(child: ChildProcess, stream: 'stdout' | 'stderr'): () => string {
  const parts: Buffer[] = []
  child[stream]?.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts).toString()
}

/** True while a process of this id is there and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A signal to a process that may have ended in this moment. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
