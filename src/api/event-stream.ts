import type { ServerResponse } from 'node:http'
import { openBodyStream } from './body-stream.js'

/** A stream of server-sent events. Comments keep it open through proxies while nothing happens. */
export interface EventStream extends Disposable {
  /** Resolves when the reader can take more, or has gone. */
  send(event: { data: unknown; id?: number; event?: string }): Promise<void>
  /** A line that event readers pass over. */
  comment(text: string): Promise<void>
  /** Aborts when the reader has gone. */
  readonly gone: AbortSignal
}

export interface EventStreamOptions {
  heartbeatMs: number
  headers?: Readonly<Record<string, string>>
}

/** Disposing it ends the response. */
export function openEventStream(
  response: ServerResponse,
  { heartbeatMs, headers = {} }: EventStreamOptions,
): EventStream {
  const body = openBodyStream(response, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    Connection: 'keep-alive',
    // a proxy that collects the answer would hold back the first line
    'X-Accel-Buffering': 'no',
    ...headers,
  })
  const heartbeat = setInterval(() => {
    // a reader that does not keep up needs no sign of life
    if (!response.writableNeedDrain) void body.write(': ping\n\n')
  }, heartbeatMs)

  return {
    gone: body.gone,
    send({ data, id, event }) {
      const head = `${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}`
      return body.write(`${head}data: ${JSON.stringify(data)}\n\n`)
    },
    comment: (text) => body.write(`: ${text.replaceAll(/[\r\n]+/g, ' ')}\n\n`),
    [Symbol.dispose]() {
      clearInterval(heartbeat)
      body.end()
    },
  }
}

/** Clients read lines of less than 64 KiB; this leaves room for what is around the text. */
const MAX_TEXT_BYTES = 58_000

/** Cuts a text so that each part, as JSON, fits one line; never inside a character. */
export function* splitForLine(text: string): Generator<string> {
  if (text === '') return
  if (Buffer.byteLength(JSON.stringify(text)) <= MAX_TEXT_BYTES) {
    yield text
    return
  }
  const middle = text.length >> 1
  const at = isLowSurrogate(text.charCodeAt(middle)) ? middle + 1 : middle
  yield* splitForLine(text.slice(0, at))
  yield* splitForLine(text.slice(at))
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
