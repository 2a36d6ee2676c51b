import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Reply, Side } from './queue-process.js'

/** A process of the model test, started when it is asked for something. */
export interface SideProcess {
  /** Does something in one transaction of that process. */
  ask<Name extends keyof Side>(
    name: Name,
    ...args: Parameters<Side[Name]>
  ): Promise<ReturnType<Side[Name]>>
  /** SIGKILLs it; the next question starts another. */
  kill(): Promise<void>
}

const FILE = fileURLToPath(new URL('./queue-process.js', import.meta.url))

/** `windows`: see createClaims. */
export function openSideProcess(
  t: Pick<TestContext, 'after'>,
  path: string,
  windows: readonly number[],
): SideProcess {
  let child: ChildProcess | undefined
  const kill = async (): Promise<void> => {
    const dying = child
    child = undefined
    if (!dying || dying.exitCode !== null || dying.signalCode !== null) return
    dying.kill('SIGKILL')
    await once(dying, 'exit')
  }
  t.after(kill)

  return {
    kill,
    async ask(name, ...args) {
      child ??= fork(FILE, [path, JSON.stringify(windows)], { execArgv: [] })
      child.send({ name, args })
      const [reply] = (await once(child, 'message')) as [Reply]
      if ('error' in reply) throw new Error(`${name}: ${reply.error}`)
      // what the process sends is what its function of this name answers
      return reply.value as ReturnType<Side[typeof name]>
    },
  }
}
