import { DRIVERS } from '../../shared/config/config.js'
import type { ApiContext } from '../context.js'
import type { RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'

/** What this server can do. */
export function addMetaRoutes({ route }: RouteTable, { config }: ApiContext): void {
  const options = { action: 'server.read', resource: 'server' } as const
  route('GET', '/api/drivers', options, (_, response) => {
    const { allowed } = config.drivers
    const drivers = allowed.includes('*') ? DRIVERS : allowed
    sendJson(response, 200, { drivers: [...drivers].sort() })
  })
  route('GET', '/api/features', options, (_, response) =>
    sendJson(response, 200, { features: config.features }),
  )
}
