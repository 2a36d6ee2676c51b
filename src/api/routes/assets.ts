import type { ApiContext } from '../context.js'
import { pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendError } from '../send.js'

/** Styles and scripts, from memory. An address with the right version never changes. */
export function addAssetRoutes({ route }: RouteTable, { assets }: ApiContext): void {
  const options = { action: 'public', resource: 'server' } as const
  route('GET', '/static/:file', options, (request, response) => {
    const asset = assets.get(pathParam(request, 'file'))
    if (!asset) return sendError(request, response, 404, 'not_found', 'Not Found')
    const isVersioned = queryOf(request).get('v') === asset.hash
    const etag = `"${asset.hash}"`
    response.setHeader('ETag', etag)
    response.setHeader(
      'Cache-Control',
      isVersioned ? 'public, max-age=31536000, immutable' : 'no-cache',
    )
    if (request.headers['if-none-match'] === etag) return void response.status(304).end()
    response.setHeader('Content-Type', asset.type)
    response.end(asset.bytes)
  })
}
