import type { RequestHandler } from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { stdSerializers } from 'pino'
import { pinoHttp } from 'pino-http'
import type { Logger } from '../../shared/logger.js'

const PROBES = new Set(['/health', '/health/', '/ready'])

/**
 * One line a request; of the pages' parts only when debugging. It has neither the query nor any header: both carry credentials. An error
 * that the error handler left in `response.err` is logged here, once.
 */
export function accessLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    wrapSerializers: false,
    serializers: { req: describeRequest, res: describeResponse, err: stdSerializers.err },
    autoLogging: { ignore: ({ url }) => PROBES.has(url ?? '') },
    customLogLevel: (request, response) =>
      response.err ? 'error' : request.url?.startsWith('/static/') ? 'debug' : 'info',
    customSuccessMessage: (_request, response) =>
      response.writableFinished ? 'request' : 'request that its client left',
    customErrorMessage: () => 'request failed',
    // pino-http makes an error up for each 5xx; only real ones are worth their stack
    customErrorObject: (_request, response, _error, line: object) =>
      response.err ? line : { ...line, err: undefined },
  })
}

function describeRequest(request: IncomingMessage) {
  return {
    id: request.id,
    method: request.method,
    path: hideToken(request.url?.split('?', 1)[0] ?? ''),
    remote: addressOf(request),
  }
}

/** Through proxies that are trusted; express has put it there. */
function addressOf(request: IncomingMessage & { ip?: string }): string | undefined {
  return request.ip ?? request.socket.remoteAddress
}

/** Whoever reads a share link's path in the log could open it. */
function hideToken(path: string): string {
  return path.replace(/^(\/share\/)[^/]+/i, '$1***')
}

function describeResponse(response: ServerResponse) {
  return { status: response.statusCode }
}
