import { z } from 'zod'
import { readLines } from './run-events.js'

/** What a run's event stream says that is printed. `end` is last. */
export type FollowEvent =
  | { type: 'output'; step: number; text: string }
  | { type: 'skipped'; step: number; bytes: number }
  /** Why the run is still queued. */
  | { type: 'waiting'; reason: string }
  | { type: 'end'; isGood: boolean; message: string }

const dataSchema = z.union([
  z.object({ type: z.literal('output'), step: z.number(), text: z.string() }),
  z.object({ type: z.literal('skipped'), step: z.number(), bytes: z.number() }),
  z
    .object({ type: z.literal('run'), waiting_reason: z.string() })
    .transform(({ waiting_reason: reason }) => ({ type: 'waiting' as const, reason })),
])

const endSchema = z.union([
  z.object({ type: z.literal('deleted') }),
  z.object({ type: z.literal('run'), status: z.string(), error_message: z.string().default('') }),
])

/** The events of `GET /api/runs/:id/events` as they come; those that are not printed are passed over. */
export async function* readFollowEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<FollowEvent> {
  let name = ''
  for await (const line of readLines(body)) {
    if (line === '') name = ''
    else if (line.startsWith('event: ')) name = line.slice('event: '.length)
    else if (line.startsWith('data: ')) {
      const data = parseJson(line.slice('data: '.length))
      const event = name === 'end' ? toEnd(data) : dataSchema.safeParse(data).data
      if (event) yield event
    }
  }
}

function toEnd(data: unknown): FollowEvent | undefined {
  const run = endSchema.safeParse(data).data
  switch (run?.type) {
    case undefined:
      return undefined
    case 'deleted':
      return { type: 'end', isGood: false, message: 'the run was deleted' }
    case 'run':
      return {
        type: 'end',
        isGood: run.status === 'success' || run.status === 'skipped',
        message: run.error_message,
      }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no schema accepts it
  }
}
