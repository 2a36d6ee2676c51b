import type Docker from 'dockerode'
import type { OutputStream } from '../../../shared/contract/statuses.js'
import type { OutputChunk, OutputOptions } from '../driver.js'
import { demultiplex, type Frame } from './demultiplex.js'
import { statusOf, toDriverError } from '../../../shared/docker/engine.js'
import { patiently, type End } from './wait-for-end.js'

/** How much of each stream a reader has. */
export type Position = Record<OutputStream, number>

/** Output as it comes. Ends when the connection does: at the container's end, or when the engine is lost. */
export async function* readAttached(
  source: NodeJS.ReadableStream,
  position: Position,
  signal: AbortSignal | undefined,
): AsyncGenerator<OutputChunk> {
  for await (const { stream, bytes } of frames(source, signal)) {
    const offset = position[stream]
    position[stream] += bytes.length
    yield { stream, bytes, offset }
  }
}

export interface LogOptions {
  container: Docker.Container
  end: End
  /** Moves on with what is read. */
  position: Position
  signal: AbortSignal | undefined
  /** See OutputOptions. */
  onAway: OutputOptions['onAway']
}

/** The stored output behind `position` until the container's end, across restarts of the engine. */
export async function* readLog(options: LogOptions): AsyncGenerator<OutputChunk> {
  const { container, position } = options
  const ask = <Value>(question: () => Promise<Value>) => askTelling(question, options.onAway)
  while (!options.signal?.aborted) {
    const source = await openLog(container, ask)
    const seen: Position = { stdout: 0, stderr: 0 }
    for await (const frame of frames(source, options.signal)) {
      const chunk = behind(frame, seen, position)
      if (chunk) yield chunk
    }
    if (options.signal?.aborted || !(await isRunning(container, ask))) return
  }
}

type Ask = <Value>(question: () => Promise<Value>) => Promise<Value>

/** Tells that the engine is away, and that it is back; of what goes by itself nothing is told. */
async function askTelling<Value>(
  question: () => Promise<Value>,
  onAway: OutputOptions['onAway'],
): Promise<Value> {
  let isAway = false
  const answer = await patiently(question, (error) => {
    if (!isAway) onAway?.(toDriverError(error, 'container_failed', 'following a container'))
    isAway = true
  })
  if (isAway) onAway?.(undefined)
  return answer
}

async function openLog(container: Docker.Container, ask: Ask): Promise<NodeJS.ReadableStream> {
  try {
    return await ask(() => container.logs({ follow: true, stdout: true, stderr: true }))
  } catch (error) {
    throw toDriverError(error, 'container_failed', 'reading the output of a container')
  }
}

/** A connection that ended early, or the end of the output. */
async function isRunning(container: Docker.Container, ask: Ask): Promise<boolean> {
  try {
    return (await ask(() => container.inspect())).State.Running
  } catch (error) {
    if (statusOf(error) === 404) return false
    throw toDriverError(error, 'container_failed', 'looking at a container')
  }
}

/** The part of a frame that the reader has not had. */
function behind(
  { stream, bytes }: Frame,
  seen: Position,
  position: Position,
): OutputChunk | undefined {
  const start = seen[stream]
  seen[stream] += bytes.length
  const fresh = bytes.subarray(Math.max(0, position[stream] - start))
  if (fresh.length === 0) return undefined
  const offset = position[stream]
  position[stream] += fresh.length
  return { stream, bytes: fresh, offset }
}

/** A connection that breaks ends the frames without an error: what follows asks the engine. */
async function* frames(
  source: NodeJS.ReadableStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<Frame> {
  const stop = (): void => {
    if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    if (signal?.aborted) return
    yield* demultiplex(source as AsyncIterable<Uint8Array>)
  } catch {
    // aborted, or cut off
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
  }
}
