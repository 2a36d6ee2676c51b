import { spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface PipeThroughOptions extends Pick<SpawnOptions, 'cwd' | 'env'> {
  /** What goes to its standard input; empty when undefined. */
  input?: AsyncIterable<Uint8Array>
  /** Kills it. */
  signal: AbortSignal
  /** The error of a program that ended badly, from the end of its first words on stderr. */
  onFailure(reason: string): Error
}

/** What is kept of the words of a program that may fail. */
const MAX_STDERR_BYTES = 4_096

/**
 * Runs a program as a part of a stream: yields what it writes at the reader's pace. What the input
 * throws comes through as it is; an abort rejects with its reason; whoever stops reading kills it.
 */
export async function* pipeThrough(
  [program, ...args]: readonly [string, ...string[]],
  { input, signal, onFailure, ...options }: PipeThroughOptions,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  exited.catch(() => undefined) // thrown below
  const kill = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  const words = readHead(child.stderr)
  const fed = feed(child.stdin, input)
  void fed.done.then(() => fed.failure !== undefined && kill())
  try {
    yield* child.stdout as AsyncIterable<Buffer>
    const [code, killedBy] = await exited
    signal.throwIfAborted()
    if (fed.failure !== undefined) throw fed.failure
    if (code !== 0) throw onFailure(words() || `it ended with ${killedBy ?? `code ${code}`}`)
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
    await exited.catch(() => undefined) // it never ran
  }
}

/** A program that ends before it has read all says why by its exit code. */
function feed(
  stdin: Writable,
  input: AsyncIterable<Uint8Array> = empty(),
): { failure: unknown; done: Promise<void> } {
  const fed = { failure: undefined as unknown, done: Promise.resolve() }
  const source = async function* (): AsyncGenerator<Uint8Array> {
    const iterator = input[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { done, value } = await iterator.next().catch((error: unknown) => {
          fed.failure = error
          throw error
        })
        if (done) return
        // what is thrown in here is the program's doing: it reads no more
        yield value
      }
    } finally {
      await iterator.return?.()
    }
  }
  fed.done = pipeline(Readable.from(source(), { objectMode: false }), stdin).catch(() => undefined)
  return fed
}

async function* empty(): AsyncGenerator<Uint8Array> {
  // nothing to read
}

function readHead(stream: Readable): () => string {
  let head = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    if (head.length < MAX_STDERR_BYTES) head += text
  })
  return () => head.slice(0, MAX_STDERR_BYTES).trim()
}
