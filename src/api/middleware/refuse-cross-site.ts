import type { RequestHandler } from 'express'
import { AppError } from '../../shared/errors.js'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
const OWN_SITES = new Set(['same-origin', 'none'])

/** What is sent there counts by its signature alone. */
const SIGNED = '/api/webhooks/'

/**
 * Refuses a change that another site's page asks for. Browsers say where a request comes from in
 * headers that pages cannot forge; a command line sends neither of them and passes. `baseUrl` is the
 * server as browsers see it, where that is known: a proxy may ask for it by another name.
 */
export function refuseCrossSite(baseUrl?: string): RequestHandler {
  const ownHost = baseUrl === undefined ? undefined : new URL(baseUrl).host
  return ({ method, headers, path }, _response, next) => {
    if (SAFE_METHODS.has(method) || path.startsWith(SIGNED)) return next()
    const site = headers['sec-fetch-site']
    const isForeign =
      (site !== undefined && !OWN_SITES.has(site)) ||
      (headers.origin !== undefined &&
        !isOwn(headers.origin, [headers.host?.toLowerCase(), ownHost]))
    if (isForeign)
      throw new AppError('access_denied', 'cross-site request refused: use the page of this server')
    next()
  }
}

/** `null` is the origin of sandboxed frames and of files: nobody's host. */
function isOwn(origin: string, hosts: readonly (string | undefined)[]): boolean {
  return URL.canParse(origin) && hosts.includes(new URL(origin).host)
}
