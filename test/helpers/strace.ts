import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './until.js'

/** One system call of a traced process, in the order in which it ended. */
export interface SystemCall {
  name: string
  /** The arguments as strace prints them, file descriptors with their paths. */
  text: string
}

/** Traces a running process with all its threads while some work is done. */
export async function traceProcess(
  pid: number,
  { calls, dir }: { calls: readonly string[]; dir: string },
  work: () => Promise<void>,
): Promise<SystemCall[]> {
  const file = join(dir, 'strace.txt')
  const strace = spawn(
    'strace',
    ['-f', '-y', '-s', '64', '-e', `trace=${calls.join(',')}`, '-o', file, '-p', String(pid)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let messages = ''
  strace.stderr.on('data', (part: Buffer) => (messages += part.toString()))
  await until('strace is attached', () => /attached/.test(messages))
  await work()
  strace.kill('SIGINT')
  await once(strace, 'exit')
  return parseTrace(readFileSync(file, 'utf8'))
}

/** Joins the two halves of a call that another thread's call interrupted; it counts where it ended. */
export function parseTrace(text: string): SystemCall[] {
  const begun = new Map<string, string>()
  const calls: SystemCall[] = []
  for (const line of text.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    if (rest.endsWith('<unfinished ...>')) begun.set(thread, rest.replace('<unfinished ...>', ''))
    else if (resumed) calls.push(toCall((begun.get(thread) ?? `${resumed[1]}(`) + resumed[2]))
    else if (/^\w+\(/.test(rest)) calls.push(toCall(rest))
  }
  return calls
}

function toCall(text: string): SystemCall {
  return { name: /^\w+/.exec(text)?.[0] ?? '', text }
}
