import { isIP } from 'node:net'
import type { RequestHandler } from 'express'
import type { Config } from '../../shared/config/config.js'
import { AppError } from '../../shared/errors.js'
import { isLoopback } from '../../shared/loopback.js'

/**
 * Keeps a page of another site out that has its own name point to this machine: to a browser it is then the same
 * site. It matters where nobody signs in and the server is for this machine alone; there no name but this
 * machine's is used, unless a proxy is in front that passes one on.
 */
export function checkHost({ http, auth }: Config): RequestHandler {
  const isOpen = !auth.basic && !auth.oauth
  const isPrivate = isOpen && isLoopback(http.host) && http.trustedProxies.length === 0
  return ({ headers }, _response, next) => {
    if (isPrivate && !isOwnName(headers.host ?? ''))
      throw new AppError(
        'access_denied',
        'this server is for this machine alone: use its address, or name the proxy in front of it with --trusted-proxies',
      )
    next()
  }
}

/** An address is nobody's to give away. */
function isOwnName(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')
}
