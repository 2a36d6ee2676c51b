import type { RequestHandler } from 'express'
import { AppError } from '../../shared/errors.js'

/** Refuses a path that does not decode, whether or not a route would look at that part of it. */
export function checkPath(): RequestHandler {
  return ({ path }, _response, next) => {
    if (path.includes('%') && !isDecodable(path))
      throw new AppError('request_invalid', 'the path has a percent-encoding that does not decode')
    next()
  }
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
