import type { Request } from 'express'
import { z } from 'zod'
import { nameOf } from '../../shared/authorize.js'
import type { Run } from '../../shared/db/runs.js'
import { AppError } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import { getRun, type ApiContext } from '../context.js'
import { refused, serverStopping } from '../refusals.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireTriggered } from '../wire/run.js'
import type { RestartRun } from '../writes.js'
import { absolutePath } from './tasks.js'
import { admitRun } from './triggers.js'

const rerunSchema = z.strictObject({
  from: z.union([
    z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    z.string().min(1).max(4_096),
  ]),
})

/** Doing a run again: from where it failed, from a step, or as a new run. */
export function addRestartRoutes({ route }: RouteTable, context: ApiContext): void {
  const { config } = context
  const resource = { kind: 'run', param: 'run_id' } as const

  route(
    'POST',
    '/api/runs/:run_id/resume',
    { action: 'run.resume', resource },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      const hasVolumes = await restartRun(context, request, { runId })
      sendJson(response, 200, toAnswer(runId, hasVolumes))
    },
  )

  route(
    'POST',
    '/api/runs/:run_id/rerun',
    { action: 'run.resume', resource },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      const body = await readJsonBody(request, { maxBytes: config.limits.bodyBytes })
      const { from } = parseBody(rerunSchema, body ?? {})
      const step = typeof from === 'string' ? absolutePath(runId, from) : from
      const hasVolumes = await restartRun(context, request, { runId, from: step })
      sendJson(response, 200, toAnswer(runId, hasVolumes))
    },
  )

  route(
    'POST',
    '/api/runs/:run_id/retrigger',
    { action: 'run.retrigger', resource },
    async (request, response) => {
      const from = getRun(context, pathParam(request, 'run_id'))
      const run = await retrigger(context, request, from)
      sendJson(response, 202, toWireTriggered(run))
    },
  )
}

function toAnswer(runId: string, hasVolumes: boolean) {
  return { run_id: runId, status: 'resuming', ...(hasVolumes && { volumes: 'kept' }) }
}

/**
 * Puts a run that has ended into the queue again: one that failed, or any from a step (its number or
 * absolute path). Throws `access_denied`, `server_stopping`, `run_not_found`, `run_not_resumable`,
 * `task_not_found`, `workdir_gone` or `queue_full`, and then nothing has changed. True: its volumes were
 * kept for it.
 */
export async function restartRun(
  context: ApiContext,
  request: Request,
  { runId, from }: Pick<RestartRun, 'runId' | 'from'>,
): Promise<boolean> {
  const { config, writer, now, stopping, runs, audit } = context
  const by = nameOf(actorOf(request))
  if (!config.features.includes('resume'))
    throw new AppError('access_denied', 'resume feature is not enabled')
  if (stopping.aborted) throw serverStopping()
  const { maxQueueSize } = config.queue
  checkDelivery(context, getRun(context, runId))
  const result = await writer.write('restartRun', { runId, from, by, maxQueueSize, now: now() })
  faultPoint('api.run.restarted')
  switch (result.outcome) {
    case 'restarted':
      await audit.record(request, {
        action: from === undefined ? 'run.resume' : 'run.rerun',
        ...{ pipelineId: runs.find(runId)?.pipelineId ?? '', target: runId },
        ...(from !== undefined && { details: { from } }),
      })
      return result.hasVolumes
    case 'not_found':
      throw new AppError('run_not_found', 'run not found')
    case 'wrong_status':
      throw new AppError(
        'run_not_resumable',
        from === undefined ? 'only failed runs can be resumed' : 'the run has not ended',
      )
    case 'step_not_found':
      throw new AppError('task_not_found', 'task not found in the last generation of the run')
    case 'group_missing':
      throw new AppError(
        'run_not_resumable',
        'the run has no concurrency group, for it could not be named: retrigger it',
      )
    case 'workdir_gone':
      throw workdirGone()
    case 'queue_full':
      throw refused(result, maxQueueSize)
  }
}

/** A new run of the same pipeline with the same input, asked for by whoever does now. */
export async function retrigger(context: ApiContext, request: Request, run: Run): Promise<Run> {
  if (run.hasUpload) throw workdirGone()
  checkDelivery(context, run)
  const { pipelineId, triggerInput: input } = run
  const { inputs = {} } = input
  const again = await admitRun(context, request, { pipelineId, type: 'manual', input, inputs })
  const details = { from: run.id }
  const deed = { action: 'run.retrigger', pipelineId, target: again.id, details }
  await context.audit.record(request, deed)
  return again
}

/** A run that is done again reads its webhook again. */
function checkDelivery({ deliveries }: ApiContext, { triggerInput: { webhook } }: Run): void {
  if (webhook && deliveries.find(webhook.delivery)?.hasBody !== true)
    throw new AppError('delivery_gone', 'the webhook of the run is no longer stored')
}

function workdirGone(): AppError {
  return new AppError(
    'workdir_gone',
    'the run was given a working directory, which went with its end: start it anew with "pipeline run"',
  )
}
