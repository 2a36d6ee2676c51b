import type { ApiContext } from '../context.js'
import type { RouteTable } from '../route-table.js'
import { sendText } from '../send.js'

/** Whether the process lives (`/health`) and whether it can serve (`/ready`). */
export function addProbeRoutes({ route }: RouteTable, context: ApiContext): void {
  for (const path of ['/health', '/health/'])
    route('GET', path, { action: 'public', resource: 'server' }, (_, response) =>
      sendText(response, 200, 'OK'),
    )

  route('GET', '/ready', { action: 'public', resource: 'server' }, (_, response) => {
    if (context.stopping.aborted) return sendText(response, 503, 'the server is stopping')
    if (!isStorageAnswering(context)) return sendText(response, 503, 'the database does not answer')
    sendText(response, 200, 'OK')
  })
}

function isStorageAnswering({ runs, logs, logger }: ApiContext): boolean {
  try {
    runs.countQueued(1)
    logs.listOfRun('', 0, 1)
    return true
  } catch (error) {
    logger.warn({ err: error }, 'the database does not answer')
    return false
  }
}
