import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container, ExitStatus, OutputChunk, StreamOffsets } from '../driver.js'
import { isWithin, unlessAborted } from '../../../shared/wait.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import { EXEC_KILL, EXEC_READ, EXEC_WAIT } from './exec-wrapper.js'
import { readAttached } from './read-output.js'

const GRACE_MS = 5_000
/** How often the files of an exec are read whose live output is nobody's any more. */
const POLL_MS = 250

export interface ExecPlace {
  /** The sandbox. */
  container: Docker.Container
  id: string
  /** The wrapper's folder in the sandbox. */
  dir: string
  /** Live output of one that was just started; the first reader takes it. */
  attached?: NodeJS.ReadWriteStream
}

/** A command of a sandbox that was started, by whichever executor: its files tell all of it. */
export function openExec({ container, id, dir, attached }: ExecPlace): Container {
  let live = attached
  let settled: Promise<ExitStatus> | undefined
  const end = (): Promise<ExitStatus> => (settled ??= waitForExit(container, dir))

  return {
    id,
    async *output({ from = { stdout: 0, stderr: 0 }, signal } = {}) {
      const position = { ...from }
      const isStart = from.stdout === 0 && from.stderr === 0
      const source = isStart ? live : undefined
      if (source) {
        live = undefined
        yield* readAttached(source, position, signal)
      }
      // a later reader, or what a lost connection kept back
      yield* readFiles({ container, dir, position, signal })
    },
    wait: (signal) => unlessAborted(end(), signal),
    async kill(graceMs = GRACE_MS) {
      await runScript(container, EXEC_KILL, [dir, 'TERM'])
      if (await isWithin(end(), graceMs)) return
      await runScript(container, EXEC_KILL, [dir, 'KILL'])
      await end()
    },
    async remove() {
      await runScript(container, EXEC_KILL, [dir, 'KILL'])
      await runScript(container, 'rm -rf -- "$1"', [dir])
    },
  }
}

interface ReadOptions {
  container: Docker.Container
  dir: string
  position: Record<keyof StreamOffsets, number>
  signal: AbortSignal | undefined
}

async function* readFiles(options: ReadOptions): AsyncGenerator<OutputChunk> {
  const { container, dir, position } = options
  while (!options.signal?.aborted) {
    const known = [String(position.stdout), String(position.stderr)]
    const { exec, stream } = await startScript(container, EXEC_READ, [dir, ...known])
    yield* readAttached(stream, position, options.signal)
    if ((await exec.inspect()).ExitCode !== 1) return
    await sleep(POLL_MS)
  }
}

async function waitForExit(container: Docker.Container, dir: string): Promise<ExitStatus> {
  try {
    const exitCode = await runScript(container, EXEC_WAIT, [dir])
    const { State: state } = await container.inspect()
    return { exitCode, isOutOfMemory: state.OOMKilled, isLost: !state.Running }
  } catch (error) {
    // the sandbox has ended or is gone
    if (statusOf(error) === 404 || statusOf(error) === 409)
      return { exitCode: 255, isOutOfMemory: false, isLost: true }
    throw toDriverError(error, 'container_failed', 'waiting for a command of the sandbox')
  }
}

/** Runs a script in the container and answers its exit code; its output goes nowhere. */
export async function runScript(
  container: Docker.Container,
  script: string,
  args: readonly string[],
): Promise<number> {
  const { exec, stream } = await startScript(container, script, args)
  for await (const _ of stream as AsyncIterable<Uint8Array>);
  return (await exec.inspect()).ExitCode ?? 255
}

async function startScript(
  container: Docker.Container,
  script: string,
  args: readonly string[],
): Promise<{ exec: Docker.Exec; stream: NodeJS.ReadWriteStream }> {
  const exec = await container.exec({
    Cmd: ['sh', '-c', script, 'pocketci', ...args],
    AttachStdout: true,
    AttachStderr: true,
  })
  return { exec, stream: await exec.start({}) }
}
