import type { Response } from 'express'
import { MCP_SCOPES } from '../auth/oauth-protocol.js'
import type { ApiContext } from '../context.js'
import type { RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'

const OPTIONS = { action: 'public', resource: 'server' } as const

/** How MCP clients find out where people let them in. */
export function addOauthMetadataRoutes({ route }: RouteTable, { signIn }: ApiContext): void {
  if (!signIn) return
  const { baseUrl } = signIn
  const describeResource = (resource: string) => ({
    resource,
    authorization_servers: [baseUrl],
    // what clients ask for by default: people tick what they may do besides
    scopes_supported: ['ci:read'],
    bearer_methods_supported: ['header'],
    resource_name: 'PocketCI',
  })
  const documents: Record<string, object> = {
    '/.well-known/oauth-protected-resource': describeResource(baseUrl),
    '/.well-known/oauth-protected-resource/mcp': describeResource(`${baseUrl}/mcp`),
    '/.well-known/oauth-authorization-server': {
      issuer: baseUrl,
      authorization_endpoint: `${baseUrl}/oauth/authorize`,
      token_endpoint: `${baseUrl}/oauth/token`,
      registration_endpoint: `${baseUrl}/oauth/register`,
      scopes_supported: MCP_SCOPES,
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none'],
      code_challenge_methods_supported: ['S256'],
    },
  }
  for (const [path, document] of Object.entries(documents)) {
    route('GET', path, OPTIONS, (_request, response) => {
      allowAll(response)
      sendJson(response, 200, document)
    })
    route('OPTIONS', path, OPTIONS, (_request, response) => {
      allowAll(response)
      response.setHeader('Access-Control-Allow-Methods', 'GET')
      response.setHeader('Access-Control-Allow-Headers', 'MCP-Protocol-Version')
      response.status(204).end()
    })
  }
}

/** Programs in browsers may read it: everybody may. */
function allowAll(response: Response): void {
  response.setHeader('Access-Control-Allow-Origin', '*')
}
