import type { Request } from 'express'
import { z } from 'zod'
import { givenInputsSchema, resolveInputs, type GivenInputs } from '../../shared/contract/inputs.js'
import type { TriggerInput, TriggerType } from '../../shared/contract/trigger-input.js'
import type { Run } from '../../shared/db/runs.js'
import { AppError } from '../../shared/errors.js'
import { faultPoint } from '../../shared/faults.js'
import { newRunId } from '../../shared/ids.js'
import type { SpoolFile } from '../../shared/uploads/spool.js'
import { nameOf } from '../../shared/authorize.js'
import { checkAdmission, type Refusal } from '../../shared/admission/check-admission.js'
import { resolveGroup } from '../../shared/admission/concurrency-group.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { idOf } from '../middleware/request-id.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { argsSchema } from '../../shared/contract/trigger-args.js'
import { toWireTriggered } from '../wire/run.js'

const triggerSchema = z.strictObject({
  mode: z.string().nullish(),
  args: argsSchema.nullish(),
  jobs: argsSchema.nullish(),
  inputs: givenInputsSchema.nullish(),
  webhook: z.unknown().optional(),
})

/** Starting a run in the background. */
export function addTriggerRoutes({ route }: RouteTable, context: ApiContext): void {
  const resource = { kind: 'pipeline', param: 'id' } as const
  route(
    'POST',
    '/api/pipelines/:id/trigger',
    { action: 'pipeline.run', resource },
    async (request, response) => {
      const body = await readJsonBody(request, { maxBytes: context.config.limits.bodyBytes })
      const { id } = getPipelineRef(context, pathParam(request, 'id'))
      const given = parseBody(triggerSchema, body ?? {})
      const run = await admitRun(context, request, {
        ...{ pipelineId: id, type: 'manual' },
        input: toTriggerInput(context, given),
        inputs: given.inputs ?? {},
      })
      sendJson(response, 202, toWireTriggered(run))
    },
  )
}

interface RunRequest {
  pipelineId: string
  type: TriggerType
  input: TriggerInput
  /** Checked against what the pipeline declares, which may have defaults. */
  inputs: GivenInputs
  /** A synced file of the spool; it is the run's when the run is accepted. */
  upload?: SpoolFile | undefined
}

/**
 * Puts a run into the queue, unless the concurrency rule of its pipeline ends it at once; when it
 * resolves the run is on the disk. Throws `server_stopping`, `pipeline_not_found`, `pipeline_paused`,
 * `queue_full` or `request_invalid`, and then there is no run.
 */
export async function admitRun(
  context: ApiContext,
  request: Request,
  { pipelineId, type, input, inputs: given, upload }: RunRequest,
): Promise<Run> {
  const { writer, config, pipelines, pipelineInputs, now } = context
  const { maxQueueSize } = config.queue
  const inputs = resolveInputs(pipelineInputs.find(pipelineId), given)
  const triggerInput = { ...input, ...(Object.keys(inputs).length > 0 && { inputs }) }
  let rule = pipelines.findRules(pipelineId)?.concurrency
  for (;;) {
    if (context.stopping.aborted) throw serverStopping()
    if (!rule) throw refused({ outcome: 'pipeline_not_found' }, maxQueueSize)
    const admission = await writer.write('admitRun', {
      run: {
        ...{ id: newRunId(), pipelineId, triggerType: type, triggerInput },
        triggeredBy: nameOf(actorOf(request)),
        requestId: idOf(request),
      },
      resolved: { rule, ...resolveGroup(pipelineId, rule, triggerInput) },
      upload: upload?.name,
      maxQueueSize,
      now: now(),
    })
    faultPoint('api.run.admitted')
    switch (admission.outcome) {
      case 'accepted':
        if (admission.run.status === 'queued') upload?.keep()
        return admission.run
      case 'rule_changed':
        rule = admission.rule
        break
      default:
        throw refused(admission, maxQueueSize)
    }
  }
}

/** Throws what admitRun would throw now, before anything of a large body is read. */
export function checkWouldAdmit(context: ApiContext, pipelineId: string): void {
  const { config, now, stopping } = context
  if (stopping.aborted) throw serverStopping()
  const { maxQueueSize } = config.queue
  const checked = checkAdmission(context, { pipelineId, maxQueueSize, now: now() })
  if (checked.outcome !== 'free') throw refused(checked, maxQueueSize)
}

export function refused(refusal: Refusal, maxQueueSize: number): AppError {
  switch (refusal.outcome) {
    case 'pipeline_not_found':
      return new AppError('pipeline_not_found', 'pipeline not found')
    case 'paused':
      return new AppError('pipeline_paused', 'pipeline is paused')
    case 'queue_full': {
      const { inFlight, maxInFlight } = refusal
      return new AppError('queue_full', 'execution queue is full', {
        details: { in_flight: inFlight, max_in_flight: maxInFlight, max_queue_size: maxQueueSize },
      })
    }
  }
}

export function serverStopping(): AppError {
  return new AppError('server_stopping', 'the server is stopping and starts no new runs')
}

/** Arguments count in mode `args` alone; an unknown mode is a manual trigger. */
function toTriggerInput(
  { config }: ApiContext,
  { mode, args, jobs }: z.infer<typeof triggerSchema>,
): TriggerInput {
  if (mode === 'webhook') {
    if (!config.features.includes('webhooks'))
      throw new AppError('access_denied', 'webhooks feature is not enabled')
    throw new AppError(
      'not_supported_yet',
      'triggers in mode webhook are not available in this version yet: use mode args',
    )
  }
  return {
    ...(mode === 'args' && args?.length ? { args } : {}),
    ...(jobs?.length ? { jobs } : {}),
  }
}
