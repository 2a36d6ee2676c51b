import { open, type FileHandle } from 'node:fs/promises'
import type { OutputStream } from '../../../shared/contract/statuses.js'
import type { OutputChunk, StreamOffsets } from '../driver.js'
import { readTotal } from './container-state.js'
import type { ControlFiles } from './layout.js'
import type { Changes } from './watch-folder.js'

const CHUNK_BYTES = 131_072

export interface ReadOptions {
  files: ControlFiles
  from: StreamOffsets
  signal: AbortSignal | undefined
  changes: Changes
  /** True when nothing more will be written; a change is announced when it becomes true. */
  isComplete(): boolean
  /** True when the driver was let go: ends without having read all. */
  isClosed(): boolean
}

/** Reads both streams side by side, a chunk at a time, at its reader's pace. */
export async function* readOutput(options: ReadOptions): AsyncGenerator<OutputChunk> {
  const { files, from, signal, changes, isComplete, isClosed } = options
  await using stdout = await openStream('stdout', files.stdout, from.stdout)
  await using stderr = await openStream('stderr', files.stderr, from.stderr)
  const scratch = Buffer.allocUnsafe(CHUNK_BYTES)

  for (;;) {
    const seen = changes.version
    // what is there after this was true is all there will be
    const isLast = isComplete()
    let hasRead = false
    for (const stream of [stdout, stderr]) {
      const chunk = await stream.next(scratch)
      if (signal?.aborted || isClosed()) return
      if (!chunk) continue
      hasRead = true
      yield chunk
    }
    if (hasRead) continue
    if (isLast) break
    await changes.after(seen, signal)
    if (signal?.aborted || isClosed()) return
  }
  yield* skipped('stdout', stdout.position, files.stdoutTotal)
  yield* skipped('stderr', stderr.position, files.stderrTotal)
}

interface StreamReader extends AsyncDisposable {
  readonly position: number
  next(scratch: Buffer): Promise<OutputChunk | undefined>
}

async function openStream(stream: OutputStream, path: string, from: number): Promise<StreamReader> {
  const file: FileHandle = await open(path, 'r')
  let position = from
  return {
    get position() {
      return position
    },
    async next(scratch) {
      const { bytesRead } = await file.read(scratch, 0, scratch.length, position)
      if (bytesRead === 0) return undefined
      const offset = position
      position += bytesRead
      return { stream, bytes: Buffer.from(scratch.subarray(0, bytesRead)), offset }
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** One last chunk without bytes, when more was written than is kept. */
function* skipped(stream: OutputStream, position: number, path: string): Generator<OutputChunk> {
  const skippedBytes = (readTotal(path) ?? 0) - position
  if (skippedBytes > 0) yield { stream, bytes: Buffer.alloc(0), offset: position, skippedBytes }
}
