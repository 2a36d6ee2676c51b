import { ReadableStream } from 'node:stream/web'
import { z } from 'zod'
import { AppError, errorMessage } from '../errors.js'
import type { Connection } from './connection.js'
import { readText } from '../read-response.js'
import type { StreamedBody } from './workdir/encode-form.js'

/** Text of an error body that is shown. */
const MAX_ERROR_BYTES = 65_536
/** One page of pipelines with their sources. */
const MAX_JSON_BYTES = 64 * 1_048_576

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  body?: unknown
  /** A body that is sent while it is made, instead of `body`. What it throws is thrown on. */
  streamed?: StreamedBody | undefined
  accept?: string
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

/**
 * One request. Answers with any status; `server_unreachable` when there is no answer at all. An
 * abort rejects with its own reason.
 */
export async function request(
  { url, authorization }: Connection,
  path: string,
  {
    method = 'GET',
    body,
    streamed,
    accept = 'application/json',
    headers,
    signal,
  }: RequestOptions = {},
): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, {
      method,
      headers: {
        accept,
        ...headers,
        ...(authorization ? { authorization } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(streamed ? { 'content-type': streamed.type } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(streamed ? { ...SENT_ONCE, body: toStream(streamed), duplex: 'half' } : {}),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    signal?.throwIfAborted()
    const cause = error instanceof Error ? error.cause : undefined
    if (streamed && cause instanceof AppError) throw cause
    throw new AppError(
      'server_unreachable',
      `could not connect to server: ${url}: ${networkReason(error)}`,
      { cause: error },
    )
  }
}

/** Otherwise fetch keeps all of the body, in case that it has to be sent again. */
const SENT_ONCE = { window: null, redirect: 'error' } as const

function toStream({ content }: StreamedBody): BodyInit {
  // one class, which Node and the library of the web declare differently
  return ReadableStream.from(content) as unknown as BodyInit
}

/** The body of a good answer. */
export async function readJson<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  const data = await tryReadJson(response, schema)
  if (data !== undefined) return data
  throw new AppError(
    'server_refused',
    `the answer of ${response.url} is not that of a pocketci server; is the address right?`,
  )
}

/** The same, but a body that is something else is undefined. */
export async function tryReadJson<T>(
  response: Response,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const { text, isWhole } = await readText(response, MAX_JSON_BYTES)
  return schema.safeParse(isWhole ? parseJson(text) : undefined).data
}

/** What a refusal means; `known` gives the text of statuses that mean something particular here. */
export async function refusal(
  { url }: Connection,
  response: Response,
  known: Readonly<Record<number, string>> = {},
): Promise<AppError> {
  const { status } = response
  const { text: body } = await readText(response, MAX_ERROR_BYTES)
  const details = { status, body }
  const text = known[status] ?? describeStatus(url, status, body.trim())
  return new AppError('server_refused', text, { details })
}

/** The `error` of a body in JSON, or the body as it is. */
export function errorOfBody(body: string): string {
  const { data } = z.object({ error: z.string() }).safeParse(parseJson(body))
  return data?.error ?? body
}

/** Runs a part of a command and puts its name before what goes wrong in it. */
export async function during<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { code, details, message } = error
    throw new AppError(code, `${prefix}: ${message}`, { cause: error, details: { ...details } })
  }
}

function describeStatus(url: string, status: number, body: string): string {
  switch (status) {
    case 401:
      return `authentication required: server ${url} returned 401 Unauthorized\n\nPlease log in first:\n  pocketci login -s ${url}\n\nOr provide a token directly:\n  export CI_AUTH_TOKEN=<token>`
    case 403:
      return [
        `access denied: server ${url} returned 403 Forbidden`,
        '',
        ...(body ? [errorOfBody(body)] : []),
        'Your account does not have permission for this operation.',
        'Contact your administrator for access.',
      ].join('\n')
    default:
      return `server returned ${status}: ${body}`
  }
}

/** fetch says "fetch failed"; why is in its cause, for several addresses only as a code. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return errorMessage(cause) || code
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no schema accepts it
  }
}
