import type { Request, RequestHandler } from 'express'
import { customAlphabet } from 'nanoid'

/** Visible ASCII, short enough for every log line that repeats it. */
const ACCEPTABLE = /^[\x21-\x7e]{1,128}$/

/** Gives each request an id: the caller's when it is harmless, else a new one; it is in every answer. */
export function requestId(): RequestHandler {
  const newId = customAlphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', 32)
  return (request, response, next) => {
    const given = request.headers['x-request-id']
    request.id = typeof given === 'string' && ACCEPTABLE.test(given) ? given : newId()
    response.setHeader('X-Request-Id', request.id)
    next()
  }
}

/** The id that the middleware gave the request. */
export function idOf({ id }: Request): string {
  return typeof id === 'string' ? id : ''
}
