import type { Run } from '../../shared/db/runs.js'
import { listQueue } from '../auth/visible.js'
import type { ApiContext } from '../context.js'
import { readPage } from '../read-page.js'
import { queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { showRun } from './runs.js'

/** What is under way, what waits and why, and who could take it. */
export function addQueueRoutes({ route }: RouteTable, context: ApiContext): void {
  const { runs, executors, pipelines, deliveries, now } = context
  const show = (run: Run) => ({
    ...showRun(context, run),
    pipeline_name: pipelines.findName(run.pipelineId) ?? '',
  })
  route('GET', '/api/queue', { action: 'run.list', resource: 'server' }, (request, response) => {
    const { perPage } = readPage(queryOf(request))
    const { running, queued } = listQueue(context, request, perPage)
    sendJson(response, 200, {
      running: running.items.map((run) => show(run)),
      queued: queued.items.map((run) => show(run)),
      total_running: running.totalItems,
      total_queued: queued.totalItems,
      total_suspended: runs.countSuspended(),
      deferred_webhooks: deliveries.countDeferred(MAX_COUNT),
      capacity: executors.totalCapacity(now()),
      executors: executors.listAlive(now()).map(({ id, host, labels, capacity, inFlight }) => ({
        ...{ id, host, labels, capacity },
        in_flight: inFlight,
      })),
    })
  })
}

/** Webhooks that wait are counted so far: as many as a server may be told to keep. */
const MAX_COUNT = 1_000_000
