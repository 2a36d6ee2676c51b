import { nameOf, UNKNOWN } from '../../shared/authorize.js'
import { AppError } from '../../shared/errors.js'
import { newRunId } from '../../shared/ids.js'
import { checkName } from '../check-name.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { idOf } from '../middleware/request-id.js'
import { actorOf, pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'

/**
 * Saying that a job has passed, for jobs that wait for it. The run that records it was never in the
 * queue: pause, limits and concurrency rules are about runs that execute something.
 */
export function addSeedPassedRoute({ route }: RouteTable, context: ApiContext): void {
  const { writer, now, audit } = context
  route(
    'POST',
    '/api/pipelines/:id/jobs/:name/seed-passed',
    { action: 'pipeline.run', resource: { kind: 'pipeline', param: 'id' } },
    async (request, response) => {
      const { id: pipelineId } = getPipelineRef(context, pathParam(request, 'id'))
      const job = pathParam(request, 'name')
      checkName('job', job)
      const runId = newRunId()
      const by = nameOf(actorOf(request)) || UNKNOWN
      const seed = { runId, pipelineId, job, by, requestId: idOf(request), now: now() }
      if (!(await writer.write('seedPassed', seed)))
        throw new AppError('pipeline_not_found', 'pipeline not found')
      await audit.record(request, {
        ...{ action: 'job.seed-passed', pipelineId, target: runId, details: { job } },
      })
      const message = 'job passed status seeded successfully'
      sendJson(response, 200, { pipeline_id: pipelineId, job, run_id: runId, message })
    },
  )
}
