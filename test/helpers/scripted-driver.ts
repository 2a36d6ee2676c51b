import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../../src/shared/errors.js'
import type {
  Container,
  ContainerSpec,
  Driver,
  ExecSpec,
  ExitStatus,
  OutputChunk,
} from '../../src/executor/drivers/driver.js'

/**
 * A machine whose containers are scripts, and which goes on when an executor dies. A command is a
 * list of words: `say TEXT` and `warn TEXT` print, `wait N` lets N turns of the event loop pass,
 * `gate` waits for `openGate`, `exit N` ends, `hang` runs until it is killed, `lose` takes the wrapper away.
 */
export interface Machine {
  /** What was started, in order: ids of containers and execs. */
  starts: string[]
  kills: string[]
  containers: Map<string, ScriptedContainer>
  volumes: Set<string>
  /** Set to make starts fail with it. */
  failure: Error | undefined
  /** Set to make starts tell of their progress. */
  progress: string | undefined
  open(): Driver
  openGate(): void
}

interface ScriptedContainer {
  chunks: OutputChunk[]
  size: { stdout: number; stderr: number }
  status: ExitStatus | undefined
  waiting: Set<() => void>
}

export function createMachine(): Machine {
  const gate = Promise.withResolvers<void>()
  const machine: Machine = {
    starts: [],
    kills: [],
    containers: new Map(),
    volumes: new Set(),
    failure: undefined,
    progress: undefined,
    open: () => openDriver(machine, gate.promise),
    openGate: () => gate.resolve(),
  }
  return machine
}

function openDriver(machine: Machine, gate: Promise<void>): Driver {
  const sandboxes = new Set<string>()
  const run = async (id: string, spec: ContainerSpec | ExecSpec): Promise<Container> => {
    if (machine.failure) throw machine.failure
    spec.beforeStart?.()
    const there = machine.containers.get(id)
    if (there) return toContainer(machine, id, there)
    if (machine.progress !== undefined && 'onProgress' in spec) spec.onProgress?.(machine.progress)
    const made: ScriptedContainer = {
      chunks: [],
      size: { stdout: 0, stderr: 0 },
      status: undefined,
      waiting: new Set(),
    }
    machine.containers.set(id, made)
    machine.starts.push(id)
    void play(made, spec.command, gate)
    return toContainer(machine, id, made)
  }
  return {
    name: 'scripted',
    run: (spec) => run(spec.id, spec),
    async find(id) {
      const there = machine.containers.get(id)
      return there && toContainer(machine, id, there)
    },
    async createVolume({ name }) {
      machine.volumes.add(name)
      return { name, path: `/${name}` }
    },
    async *readFiles(_volume, paths) {
      for (const path of paths) yield { path, size: 1, content: once(Buffer.from('x')) }
    },
    async writeArchive() {},
    async *readArchive() {},
    async startSandbox({ id }) {
      if (!sandboxes.has(id)) machine.starts.push(id)
      sandboxes.add(id)
      return {
        id,
        exec: (spec) => run(`${id}/${spec.id}`, spec),
        async remove() {
          sandboxes.delete(id)
        },
      }
    },
    listVolumes: async () => [...machine.volumes],
    async removeAll({ keepsVolumes = false } = {}) {
      for (const container of machine.containers.values()) end(container, 137)
      machine.containers.clear()
      if (!keepsVolumes) machine.volumes.clear()
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function play(
  container: ScriptedContainer,
  words: readonly string[],
  gate: Promise<void>,
): Promise<void> {
  for (let at = 0; at < words.length && !container.status; at += 2) {
    const argument = words[at + 1] ?? ''
    switch (words[at]) {
      case 'say':
        print(container, 'stdout', Buffer.from(argument))
        break
      case 'warn':
        print(container, 'stderr', Buffer.from(argument))
        break
      case 'hex':
        print(container, 'stdout', Buffer.from(argument, 'hex'))
        break
      case 'wait':
        for (let turn = 0; turn < Number(argument); turn++) await nextTurn()
        break
      case 'gate':
        await gate
        break
      case 'exit':
        return end(container, Number(argument))
      case 'hang':
        return
      case 'lose':
        return end(container, 255, true)
      default:
        throw new Error(`no such word: ${words[at]}`)
    }
    await nextTurn()
  }
  end(container, 0)
}

function print(container: ScriptedContainer, stream: 'stdout' | 'stderr', bytes: Buffer): void {
  container.chunks.push({ stream, bytes, offset: container.size[stream] })
  container.size[stream] += bytes.length
  wake(container)
}

function end(container: ScriptedContainer, exitCode: number, isLost = false): void {
  container.status ??= { exitCode, isOutOfMemory: false, isLost }
  wake(container)
}

function wake({ waiting }: ScriptedContainer): void {
  for (const resolve of waiting) resolve()
  waiting.clear()
}

function toContainer(machine: Machine, id: string, container: ScriptedContainer): Container {
  const change = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      container.waiting.add(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  return {
    id,
    async *output({ from = { stdout: 0, stderr: 0 }, signal } = {}) {
      for (let at = 0; ;) {
        const chunk = container.chunks[at]
        if (signal?.aborted) return
        if (chunk) {
          at++
          const skip = Math.max(0, from[chunk.stream] - chunk.offset)
          const bytes = chunk.bytes.subarray(skip)
          if (bytes.length > 0) yield { ...chunk, bytes, offset: chunk.offset + skip }
        } else if (container.status) return
        else await change(signal)
      }
    },
    async wait(signal) {
      while (!container.status) {
        if (signal?.aborted) throw new AppError('aborted', 'no longer waiting')
        await change(signal)
      }
      return container.status
    },
    async kill() {
      machine.kills.push(id)
      end(container, 143)
    },
    async remove() {
      end(container, 137)
      machine.containers.delete(id)
    },
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
