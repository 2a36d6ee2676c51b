import busboy from 'busboy'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { invalidBody, tooLarge } from './request-body.js'

/** A part of a form: a short one as text, a file as a stream that has to be read to its end. */
export type Part =
  | { kind: 'field'; name: string; text: string }
  | { kind: 'file'; name: string; content: AsyncIterable<Buffer> }

export interface MultipartOptions {
  /** Of everything but the content of files that somebody reads, and of each field. */
  maxBytes: number
  /** Ends the reading with its reason. */
  signal: AbortSignal
}

/**
 * The parts of a multipart body in their order, at the reader's pace. A file that is not read when
 * the next part is asked for is skipped, and counts. Throws `request_invalid` or `body_too_large`;
 * the content of a file that is cut off fails with the same. What it leaves of the body is thrown
 * away.
 */
export async function* readParts(
  request: IncomingMessage,
  { maxBytes, signal }: MultipartOptions,
): AsyncGenerator<Part> {
  const parser = openParser(request, maxBytes)
  const parts = collectParts(parser)
  let counted = 0
  let current: Readable | undefined
  const fail = (error: unknown): void => void parser.destroy(toError(error))
  const count = (chunk: Buffer): void => {
    // a file in the reader's hands is the reader's to limit
    if (current && !current.readableEnded && !current.destroyed) return
    counted += chunk.length
    if (counted > maxBytes) fail(tooLarge())
  }
  const cutOff = (): void => fail(invalidBody('it was cut off'))
  const abort = (): void => fail(signal.reason)

  request.on('data', count).on('aborted', cutOff).on('error', cutOff)
  signal.addEventListener('abort', abort, { once: true })
  request.pipe(parser)
  try {
    if (signal.aborted) abort()
    for (;;) {
      const part = await parts.next()
      if (!part) return
      if (part.kind === 'field') yield part
      else {
        current = part.stream
        yield { kind: 'file', name: part.name, content: readContent(current) }
        current.resume()
        current = undefined
      }
    }
  } finally {
    signal.removeEventListener('abort', abort)
    request.unpipe(parser)
    request.off('data', count).off('aborted', cutOff).off('error', cutOff)
    request.on('error', () => undefined) // after the answer it is of no interest
    request.resume()
    parser.destroy()
  }
}

async function* readContent(stream: Readable): AsyncGenerator<Buffer> {
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    throw toError(error)
  }
}

type Found = Extract<Part, { kind: 'field' }> | { kind: 'file'; name: string; stream: Readable }

/** Parts as they were found, and then the end or what was wrong. */
function collectParts(parser: busboy.Busboy): { next(): Promise<Found | undefined> } {
  const found: Found[] = []
  let end: { error?: Error } | undefined
  let wake = (): void => undefined
  const add = (part: Found): void => {
    found.push(part)
    wake()
  }
  const finish = (error?: Error): void => {
    end ??= error ? { error } : {}
    wake()
  }
  parser.on('field', (name, text, { valueTruncated }) => {
    if (valueTruncated) finish(tooLarge())
    else add({ kind: 'field', name, text })
  })
  parser.on('file', (name, stream) => {
    stream.on('error', () => undefined) // whoever reads it is told, and else the parser
    add({ kind: 'file', name, stream })
  })
  parser.on('error', (error) => finish(toError(error)))
  parser.on('close', () => finish())
  return {
    async next() {
      for (;;) {
        if (end?.error) throw end.error
        const part = found.shift()
        if (part || end) return part
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

function openParser(request: IncomingMessage, maxBytes: number): busboy.Busboy {
  try {
    return busboy({
      headers: request.headers,
      limits: { fieldSize: maxBytes, fields: 100, files: 100, parts: 200, headerPairs: 20 },
    })
  } catch {
    throw invalidBody('its multipart form has no boundary')
  }
}

/** What the parser itself finds is the sender's mistake. */
function toError(error: unknown): Error {
  if (error instanceof Error && error.name === 'AppError') return error
  return invalidBody('its multipart form is damaged')
}
