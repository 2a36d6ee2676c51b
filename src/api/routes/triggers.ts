import type { Request } from 'express'
import { z } from 'zod'
import { givenInputsSchema, resolveInputs, type GivenInputs } from '../../shared/contract/inputs.js'
import type { TriggerInput, TriggerType } from '../../shared/contract/trigger-input.js'
import type { Run } from '../../shared/db/runs.js'
import { faultPoint } from '../../shared/faults.js'
import { newRunId } from '../../shared/ids.js'
import type { SpoolFile } from '../../shared/uploads/spool.js'
import { nameOf } from '../../shared/authorize.js'
import { checkAdmission } from '../../shared/admission/check-admission.js'
import { resolveGroup } from '../../shared/admission/concurrency-group.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { admitWebhook } from '../webhooks/admit-webhook.js'
import { maskHeaders } from '../webhooks/read-webhook.js'
import { checkWebhooksFeature } from '../webhooks/check-feature.js'
import { idOf } from '../middleware/request-id.js'
import { refused, serverStopping } from '../refusals.js'
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
  webhook: z
    .strictObject({
      method: z
        .string()
        .regex(/^[A-Za-z]{1,20}$/, 'this is no method')
        .nullish(),
      headers: z.record(z.string(), z.string()).nullish(),
      body: z.string().nullish(),
    })
    .nullish(),
})
type GivenTrigger = z.infer<typeof triggerSchema>

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
      const run =
        given.mode === 'webhook'
          ? await simulateWebhook(context, request, id, given)
          : await admitRun(context, request, {
              ...{ pipelineId: id, type: 'manual', input: toTriggerInput(given) },
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

/** Arguments count in mode `args` alone; an unknown mode is a manual trigger. */
function toTriggerInput({ mode, args, jobs }: GivenTrigger): TriggerInput {
  return {
    ...(mode === 'args' && args?.length ? { args } : {}),
    ...(jobs?.length ? { jobs } : {}),
  }
}

/** A run as of a webhook that nobody has signed and nobody waits for. */
async function simulateWebhook(
  context: ApiContext,
  request: Request,
  pipelineId: string,
  { webhook }: GivenTrigger,
): Promise<Run> {
  checkWebhooksFeature(context)
  const { method, headers, body } = webhook ?? {}
  const event = {
    ...{ provider: 'manual', eventType: '', method: method ?? 'POST' },
    headers: maskHeaders(headers ?? {}),
  }
  const taken = await admitWebhook(context, request, {
    ...{ pipelineId, event, body: Buffer.from(body ?? ''), maxDeferred: 0 },
    triggeredBy: nameOf(actorOf(request)) || 'manual',
  })
  if (taken.outcome !== 'accepted') throw new Error('a webhook that cannot wait was not refused')
  return taken.run
}
