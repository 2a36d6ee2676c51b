import type { Run } from '../../shared/db/runs.js'
import type { ApiContext } from '../context.js'
import { readPage } from '../read-page.js'
import { queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { showRun } from './runs.js'

/** What is under way, what waits and why, and who could take it. */
export function addQueueRoutes({ route }: RouteTable, context: ApiContext): void {
  const { runs, executors, pipelines, now } = context
  const show = (run: Run) => ({
    ...showRun(context, run),
    pipeline_name: pipelines.findName(run.pipelineId) ?? '',
  })
  route('GET', '/api/queue', { action: 'run.list', resource: 'server' }, (request, response) => {
    const { perPage } = readPage(queryOf(request))
    sendJson(response, 200, {
      running: runs.listRunning(perPage).map((run) => show(run)),
      queued: runs.listQueued(perPage).map((run) => show(run)),
      total_running: runs.countRunning(MAX_COUNT),
      total_queued: runs.countQueued(MAX_COUNT),
      total_suspended: runs.countSuspended(),
      capacity: executors.totalCapacity(now()),
      executors: executors.listAlive(now()).map(({ id, host, labels, capacity, inFlight }) => ({
        ...{ id, host, labels, capacity },
        in_flight: inFlight,
      })),
    })
  })
}

/** As much as the largest queue may hold. */
const MAX_COUNT = 1_000_000
