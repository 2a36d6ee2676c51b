import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'

/** A part of a form as it goes over the wire. */
export interface FormPart {
  name: string
  /** Makes it a file. */
  filename?: string
  content: string | Uint8Array | AsyncIterable<Uint8Array>
}

export interface FormAnswer {
  status: number
  headers: IncomingMessage['headers']
  /** What is left to read of a stream; the whole text when it is JSON. */
  text(): Promise<string>
  json(): Promise<{ error: string; code: string }>
  /** Leaves. */
  destroy(): void
}

const BOUNDARY = 'a-boundary-of-the-test'

/** The usual form: arguments, then a working directory. */
export function workdirForm(content: FormPart['content'], args = 'null'): FormPart[] {
  return [{ name: 'args', content: args }, workdirPart(content)]
}

export function workdirPart(content: FormPart['content']): FormPart {
  return { name: 'workdir', filename: 'workdir.tar.zst', content }
}

/** Sends a form in chunks, part by part in this order, and resolves with the head of the answer. */
export async function sendForm(url: string, parts: readonly FormPart[]): Promise<FormAnswer> {
  const outgoing = openForm(url)
  const answered = answerOf(outgoing)
  answered.catch(() => undefined) // thrown below
  await writeForm(outgoing, parts)
  outgoing.end(`\r\n--${BOUNDARY}--\r\n`)
  return answered
}

/** Sends a form up to the end of its last part, and leaves the rest to the caller. */
export async function beginForm(
  url: string,
  parts: readonly FormPart[],
): Promise<{ outgoing: ClientRequest; answered: Promise<FormAnswer> }> {
  const outgoing = openForm(url)
  const answered = answerOf(outgoing)
  answered.catch(() => undefined) // whoever waits for it is told
  await writeForm(outgoing, parts)
  return { outgoing, answered }
}

function openForm(url: string): ClientRequest {
  const headers = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }
  return request(url, { method: 'POST', headers, agent: false })
}

async function writeForm(outgoing: ClientRequest, parts: readonly FormPart[]): Promise<void> {
  let isOver = false
  // an answer that comes early is the end of it
  const over = new Promise<void>((resolve) => {
    for (const event of ['response', 'error', 'close'])
      outgoing.once(event, () => {
        isOver = true
        resolve()
      })
  })
  for (const { name, filename, content } of parts) {
    const more = filename === undefined ? '' : `; filename="${filename}"`
    outgoing.write(
      `\r\n--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`,
    )
    const pieces = typeof content === 'string' ? [Buffer.from(content)] : content
    for await (const piece of pieces instanceof Uint8Array ? [pieces] : pieces) {
      if (isOver) return
      if (!outgoing.write(piece))
        await Promise.race([new Promise((resolve) => outgoing.once('drain', resolve)), over])
    }
  }
}

async function answerOf(outgoing: ClientRequest): Promise<FormAnswer> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const text = async (): Promise<string> => {
    let body = ''
    response.setEncoding('utf8')
    for await (const chunk of response) body += chunk
    return body
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: async () => JSON.parse(await text()) as { error: string; code: string },
    destroy: () => void outgoing.destroy(),
  }
}
