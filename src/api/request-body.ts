import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { AppError } from '../shared/errors.js'

/** Refuses a request that declares more than it may send, before anything of it is read. */
export function checkDeclaredLength(request: IncomingMessage, maxBytes: number): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
}

/** What a JSON route makes of a body without JSON. */
export interface BodyOptions {
  maxBytes: number
  /** These types count as an empty body, whatever they hold. */
  emptyTypes?: readonly string[]
}

/**
 * Reads and parses a JSON body of bounded size; undefined when there is none. Throws
 * `body_too_large`, or `request_invalid` for another type, bad UTF-8 or bad JSON.
 */
export async function readJsonBody(
  request: IncomingMessage,
  { maxBytes, emptyTypes = [] }: BodyOptions,
): Promise<unknown> {
  if (emptyTypes.includes(mediaType(request))) return undefined
  const bytes = await readBody(request, maxBytes)
  if (bytes.length === 0) return undefined
  if (mediaType(request) !== 'application/json' || request.headers['content-encoding'])
    throw invalidBody()
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw invalidBody() // where in the text it breaks helps nobody who sends it by program
  }
}

/** The fields of a browser's form; none of a body that is empty or something else. */
export async function readFormBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<URLSearchParams> {
  const bytes = await readBody(request, maxBytes)
  const isForm = mediaType(request) === 'application/x-www-form-urlencoded'
  return new URLSearchParams(isForm ? bytes.toString() : '')
}

/** Checks a body; the error names the first field that is wrong. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw invalidBody(describe(parsed.error))
}

export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

export function invalidBody(reason = ''): AppError {
  const text = 'invalid request body'
  return new AppError('request_invalid', reason === '' ? text : `${text}: ${reason}`)
}

export function tooLarge(): AppError {
  return new AppError('body_too_large', 'Request Entity Too Large')
}

/** A body of any kind and bounded size. Throws `body_too_large`, or `request_invalid` when it is cut off. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  // not `for await`: leaving that early would end the connection before the answer
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > maxBytes) finish(() => reject(tooLarge()))
      else chunks.push(chunk)
    }
    const onEnd = (): void => finish(() => resolve(Buffer.concat(chunks)))
    const onError = (): void => finish(() => reject(invalidBody('it was cut off')))
    const finish = (settle: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('aborted', onError).off('error', onError)
      request.on('error', ignore)
      request.resume()
      settle()
    }
    request.on('data', onData).on('end', onEnd).on('aborted', onError).on('error', onError)
  })
}

/** What comes after the answer is of no interest. */
function ignore(): void {
  // see above
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues
  if (!issue) return ''
  if (issue.code === 'unrecognized_keys')
    return `unknown field ${JSON.stringify([...issue.path, issue.keys[0]].join('.').slice(0, 100))}`
  const path = issue.path.join('.').slice(0, 100)
  return path === '' ? issue.message : `${path}: ${issue.message}`
}
