import { z } from 'zod'
import { AppError } from '../errors.js'

/** The system keeps eight bits of a code: what does not fit them must not become a 0. */
const exitCode = z
  .number()
  .int()
  .transform((code) => (code >= 0 && code <= 255 ? code : 1))

const eventSchema = z.union([
  z.object({ event: z.literal('exit'), code: exitCode, message: z.string().optional() }),
  z.object({ event: z.literal('error'), message: z.string() }),
  z
    .object({ stream: z.enum(['stdout', 'stderr']), data: z.string() })
    .transform((output) => ({ event: 'output' as const, ...output })),
])

/** A comment of the stream: other clients pass it over. */
const WAITING = ': waiting: '

/** What a synchronous run says: output, then `exit` or `error`, once and last. */
export type RemoteRunEvent = z.infer<typeof eventSchema> | { event: 'waiting'; reason: string }

/** Servers keep lines under 64 KiB. */
const MAX_LINE_CHARS = 1_048_576
const DATA = 'data: '

/** The events of a stream as they come; comments and lines that make no sense are passed over. */
export async function* readRunEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<RemoteRunEvent> {
  for await (const line of readLines(body)) {
    if (line.startsWith(WAITING)) yield { event: 'waiting', reason: line.slice(WAITING.length) }
    if (!line.startsWith(DATA)) continue
    const event = parseEvent(line.slice(DATA.length))
    if (event) yield event
  }
}

/** The lines of a body; throws `stream_broken` for one that is too long to be held. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield line.replace(/\r$/, '')
    if (rest.length > MAX_LINE_CHARS)
      throw new AppError('stream_broken', 'error reading stream: a line of it is too long')
  }
  if (rest !== '') yield rest
}

function parseEvent(text: string): RemoteRunEvent | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // no JSON
  }
}
