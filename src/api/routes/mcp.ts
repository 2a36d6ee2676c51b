import { createMcpAccess } from '../auth/mcp-access.js'
import type { ApiContext } from '../context.js'
import { serveMcp } from '../mcp/serve-mcp.js'
import type { RouteTable } from '../route-table.js'

/** The server for clients of the Model Context Protocol: one POST a message. */
export function addMcpRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn } = context
  const access = signIn && createMcpAccess(context, signIn)
  const options = { action: 'server.read', resource: 'server', access } as const
  for (const path of ['/mcp', '/mcp/'])
    route('POST', path, options, (request, response) => serveMcp(context, request, response))
}
