import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { AppError, type ErrorCode } from '../../shared/errors.js'
import { limitBodyTime } from '../body-time.js'
import { sendError } from '../send.js'

interface Answer {
  status: number
  /** Seconds after which it may go better. */
  retryAfter?: number
}

/** How an expected failure reads on the wire. A code that is not here is a fault of ours: 500. */
const ANSWERS: Partial<Record<ErrorCode, Answer>> = {
  request_invalid: { status: 400 },
  archive_invalid: { status: 400 },
  pipeline_invalid: { status: 400 },
  driver_not_allowed: { status: 400 },
  driver_unknown: { status: 400 },
  driver_config_invalid: { status: 400 },
  secret_reserved: { status: 400 },
  secret_missing: { status: 400 },
  signature_invalid: { status: 401 },
  authentication_required: { status: 401 },
  authentication_failed: { status: 401 },
  access_denied: { status: 403 },
  pipeline_not_found: { status: 404 },
  run_not_found: { status: 404 },
  task_not_found: { status: 404 },
  gate_not_found: { status: 404 },
  delivery_not_found: { status: 404 },
  share_not_found: { status: 404 },
  schedule_not_found: { status: 404 },
  token_not_found: { status: 404 },
  pipeline_paused: { status: 409 },
  pipeline_stopping: { status: 409 },
  run_not_in_flight: { status: 409 },
  run_not_resumable: { status: 409 },
  workdir_gone: { status: 409 },
  run_rejected: { status: 409 },
  gate_resolved: { status: 409 },
  delivery_gone: { status: 409 },
  share_limit: { status: 409 },
  token_limit: { status: 409 },
  upload_too_slow: { status: 408 },
  body_too_large: { status: 413 },
  archive_too_large: { status: 413 },
  queue_full: { status: 429, retryAfter: 5 },
  too_many_attempts: { status: 429, retryAfter: 60 },
  not_supported_yet: { status: 501 },
  server_stopping: { status: 503, retryAfter: 5 },
  storage_busy: { status: 503, retryAfter: 5 },
  storage_full: { status: 503, retryAfter: 60 },
}

/** Shows an error to whoever opened a page; undefined: answer with JSON. */
export type ErrorPage = (request: Request, status: number, text: string) => string | undefined

/** The answer to a path that no route has. */
export function notFound(errorPage: ErrorPage): RequestHandler {
  return (request, response) => {
    limitBodyTime(request, response)
    answer({ request, response, errorPage }, { status: 404 }, 'not_found', 'Not Found')
  }
}

/** Turns whatever a handler threw into its answer; what nobody foresaw is logged with its stack. */
export function errorHandler(errorPage: ErrorPage): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const known = error instanceof AppError ? ANSWERS[error.code] : undefined
    // the access log writes it
    if (!known) response.err = error instanceof Error ? error : new Error(String(error))
    // a stream that breaks off is what tells its reader
    if (response.headersSent) return void response.destroy()
    const exchange = { request, response, errorPage }
    if (known && error instanceof AppError) {
      const more = error.code === 'queue_full' ? error.details : {}
      const { retryAfter } = error.details
      const when = typeof retryAfter === 'number' ? { ...known, retryAfter } : known
      return answer(exchange, when, error.code, error.message, more)
    }
    answer(exchange, { status: 500 }, 'internal', 'internal server error')
  }
}

interface Exchange {
  request: Request
  response: Response
  errorPage: ErrorPage
}

function answer(
  { request, response, errorPage }: Exchange,
  { status, retryAfter }: Answer,
  code: string,
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): void {
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter))
  const page = errorPage(request, status, text)
  if (page === undefined) return sendError(request, response, status, code, text, more)
  response.statusCode = status
  response.setHeader('Content-Type', 'text/html; charset=UTF-8')
  response.end(page)
}
