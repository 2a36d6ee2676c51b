import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../shared/config/config.js'
import { AppError, errorMessage } from '../shared/errors.js'

/** Time for the head of a request; routes limit their bodies, and answers may take as long as they like. */
const HEADERS_TIMEOUT_MS = 30_000
/** Added to the longest time of a body: the net under the limits of the routes. */
const NET_MS = 60_000

const SWEEP_MS = 20

/** A listening server. Disposing it finishes requests within the drain time-out, then ends the rest. */
export interface Listening extends AsyncDisposable {
  url: string
}

/** Throws `port_in_use` when the address cannot be had. */
export async function listen(
  handler: RequestListener,
  {
    http: { host, port },
    limits,
    drainTimeoutMs,
  }: Pick<Config, 'http' | 'limits' | 'drainTimeoutMs'>,
): Promise<Listening> {
  const requestTimeout = limits.uploadTimeoutMs + NET_MS
  const server = createServer({ requestTimeout, headersTimeout: HEADERS_TIMEOUT_MS }, handler)
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, host, port)
  }
  // a listening TCP server has an address of this kind
  const address = server.address() as AddressInfo

  return {
    url: `http://${urlHost(host)}:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close() // ends idle connections too
      // a connection that finishes its answer from now on is kept alive for nobody
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
      const force = setTimeout(() => server.closeAllConnections(), drainTimeoutMs)
      await closed
      clearInterval(sweep)
      clearTimeout(force)
    },
  }
}

/** An address that stands for all of them is no place to go to. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const details = { host, port }
  switch (code) {
    case 'EADDRINUSE':
      return new AppError(
        'port_in_use',
        `--port ${port} is in use by another program; stop it or choose another with --port`,
        { cause: error, details },
      )
    case 'EACCES':
      return new AppError(
        'port_in_use',
        `--port ${port} needs more rights than this user has; choose another with --port, above 1023`,
        { cause: error, details },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AppError(
        'config_invalid',
        `--host ${host} is not an address of this machine (${errorMessage(error)})`,
        { cause: error, details },
      )
    default:
      return error
  }
}
