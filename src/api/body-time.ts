import type { IncomingMessage, ServerResponse } from 'node:http'

/** Time for a body on a route that does not say otherwise. */
export const BODY_TIMEOUT_MS = 30_000

/** After an answer that came before the end of the body: time for the sender to hear it and stop. */
const LINGER_MS = 5_000

/** Ends the exchange when the body is not complete in time: a slow sender may not hold it forever. */
export function limitBodyTime(
  request: IncomingMessage,
  response: ServerResponse,
  timeoutMs = BODY_TIMEOUT_MS,
): void {
  if (request.headers['transfer-encoding'] === undefined && !request.headers['content-length'])
    return
  const timer = setTimeout(() => {
    if (request.complete) return
    // the handler that still reads finds the answer given
    if (!response.headersSent) response.writeHead(408, { Connection: 'close' }).end()
    request.socket.destroySoon()
  }, timeoutMs)
  response.once('close', () => clearTimeout(timer))
}

/**
 * Throws away what comes after an early answer, for a while: a connection that is closed at once
 * takes the answer with it.
 */
export function lingerAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  // nor may Node close it with the answer because the sender asked for that: it closes it itself
  response.shouldKeepAlive = true
  response.once('finish', () => {
    if (request.complete) return
    request.resume()
    const { socket } = request
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    const clear = (): void => clearTimeout(timer)
    request.once('end', clear)
    socket.once('close', clear)
  })
}
