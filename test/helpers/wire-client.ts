import { once } from 'node:events'
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { toTarZst, type Entry } from './tar.js'

/**
 * A client of the HTTP interface that shares nothing with the product: requests by node:http, its
 * own multipart writer, an own tar writer, its own reader of server-sent events.
 */
export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

export interface WireRequest {
  method: string
  url: string
  /** Sent as JSON with a Content-Length; none at all when undefined. */
  json?: unknown
}

export async function call({ method, url, json }: WireRequest): Promise<Answer> {
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json))
  const headers: OutgoingHttpHeaders = body
    ? { 'Content-Type': 'application/json', 'Content-Length': body.length }
    : {}
  const response = await send(method, url, headers, body ? [body] : [])
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
}

export interface RunAnswer extends Answer {
  events: Record<string, unknown>[]
}

/** A synchronous run as the reference's command line asks for it: chunked multipart, args first. */
export async function runWithWorkdir(
  url: string,
  args: readonly string[] | null,
  workdir: readonly Entry[],
): Promise<RunAnswer> {
  const boundary = 'd1b0c5a6e7f84f0f9e2a'
  const part = (head: string): Buffer => Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`)
  const chunks = [
    part('Content-Disposition: form-data; name="args"'),
    Buffer.from(JSON.stringify(args)),
    Buffer.from('\r\n'),
    part(
      'Content-Disposition: form-data; name="workdir"; filename="workdir.tar.zst"\r\nContent-Type: application/octet-stream',
    ),
    toTarZst(workdir),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]
  const headers = {
    'Content-Type': `multipart/form-data; boundary=${boundary}`,
    'Transfer-Encoding': 'chunked',
    Accept: 'text/event-stream',
  }
  const response = await send('POST', url, headers, chunks)
  const body = await text(response)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    events: response.statusCode === 200 ? readEvents(body) : [],
  }
}

/** The events of a stream; throws for a line that the reference's client could not read. */
export function readEvents(body: string): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = []
  for (const line of body.split('\n')) {
    if (Buffer.byteLength(line) >= 65_536) throw new Error('a line of 64 KiB or more')
    if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)))
    else if (line !== '' && !line.startsWith(':')) throw new Error(`not an event: ${line}`)
  }
  return events
}

async function send(
  method: string,
  url: string,
  headers: OutgoingHttpHeaders,
  chunks: readonly Buffer[],
): Promise<IncomingMessage> {
  const outgoing = request(url, { method, headers })
  for (const chunk of chunks) outgoing.write(chunk)
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

async function text(response: IncomingMessage): Promise<string> {
  let body = ''
  response.setEncoding('utf8')
  for await (const chunk of response) body += chunk
  return body
}
