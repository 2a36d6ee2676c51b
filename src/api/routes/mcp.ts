import type { Request } from 'express'
import { AppError } from '../../shared/errors.js'
import { isLoopback } from '../../shared/loopback.js'
import type { ApiContext } from '../context.js'
import { serveMcp } from '../mcp/serve-mcp.js'
import type { RouteTable } from '../route-table.js'

/** The server for clients of the Model Context Protocol: one POST a message. */
export function addMcpRoutes({ route }: RouteTable, context: ApiContext): void {
  const options = { action: 'server.read', resource: 'server' } as const
  for (const path of ['/mcp', '/mcp/'])
    route('POST', path, options, async (request, response) => {
      checkHost(context, request)
      await serveMcp(context, request, response)
    })
}

/**
 * Where nobody signs in, a page whose name was made to lead to this machine could do everything: a name
 * that is not this machine's own is refused then.
 */
function checkHost({ config: { auth, http } }: ApiContext, { hostname }: Request): void {
  if (auth.basic || auth.oauth || !isLoopback(http.host)) return
  if (!isLoopback(hostname?.replace(/^\[|\]$/g, '') ?? ''))
    throw new AppError(
      'access_denied',
      'cross-site request refused: use the address of this machine',
    )
}
