import { z } from 'zod'
import { givenInputsSchema } from '../../../shared/contract/inputs.js'
import { argsSchema } from '../../../shared/contract/trigger-args.js'
import { checkName } from '../../check-name.js'
import { getPipelineRef } from '../../context.js'
import { resolveGate } from '../../routes/gates.js'
import { restartRun } from '../../routes/restart-runs.js'
import { stopRun } from '../../routes/runs.js'
import { pipelineBodySchema, setPipeline } from '../../routes/set-pipeline.js'
import { absolutePath } from '../../routes/tasks.js'
import { admitRun } from '../../routes/triggers.js'
import { toWireGate } from '../../wire/gate.js'
import { toWireTriggered } from '../../wire/run.js'
import { clipObject } from '../clip.js'
import { defineTool, type Tool } from '../tool.js'
import { pipelineKey, runId } from '../tool-input.js'
import { describePipelineBriefly } from './pipeline-tools.js'

const gateInput = z.strictObject({
  gate_id: z.string().min(1).max(64),
  comment: z.string().max(4_000).nullish(),
})

/** Of a pipeline, what a model may set: what is secret does not go through it. */
const pipelineInput = pipelineBodySchema
  .omit({ driver_config: true, secrets: true, webhook_secret: true, rbac_expression: true })
  .extend({
    name: z.string().min(1).max(255).describe('Of a new pipeline, or of the one to replace'),
    content: z.string().min(1).describe('The whole TypeScript or JavaScript file'),
  })

/** Starting, stopping and repeating runs, resolving gates, setting pipelines. */
export const changeTools: Tool[] = [
  defineTool({
    name: 'trigger_run',
    title: 'Trigger run',
    description:
      'Starts a run of a pipeline. It runs in the background: follow it with wait_for_run. get_pipeline has the inputs that it declares.',
    input: z.strictObject({
      pipeline: pipelineKey,
      args: argsSchema.nullish(),
      jobs: argsSchema.nullish(),
      inputs: givenInputsSchema.nullish(),
    }),
    action: 'pipeline.run',
    resource: ({ pipeline: key }) => ({ kind: 'pipeline', key }),
    effect: 'adds',
    async run({ context, request }, { pipeline, args, jobs, inputs }) {
      const run = await admitRun(context, request, {
        ...{ pipelineId: getPipelineRef(context, pipeline).id, type: 'manual' },
        input: { ...(args?.length && { args }), ...(jobs?.length && { jobs }) },
        inputs: inputs ?? {},
      })
      return { json: clipObject(toWireTriggered(run)) }
    },
  }),

  defineTool({
    name: 'stop_run',
    title: 'Stop run',
    description: 'Stops a run that waits or runs; it ends as failed.',
    input: z.strictObject({ run_id: runId }),
    action: 'run.stop',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'ends',
    async run({ context, request }, { run_id: id }) {
      const status = await stopRun(context, request, id)
      return { json: { run_id: id, status } }
    },
  }),

  defineTool({
    name: 'resume_run',
    title: 'Resume run',
    description:
      'Does a run that has ended again: one that failed from where it failed, or any from a step (its id or path). Results of earlier steps stand.',
    input: z.strictObject({
      run_id: runId,
      from: z.union([z.int().min(1), z.string().min(1).max(4_096)]).nullish(),
    }),
    action: 'run.resume',
    resource: ({ run_id: key }) => ({ kind: 'run', key }),
    effect: 'adds',
    async run({ context, request }, { run_id: id, from }) {
      const step = typeof from === 'string' ? absolutePath(id, from) : (from ?? undefined)
      await restartRun(context, request, { runId: id, from: step })
      return { json: { run_id: id, status: 'resuming' } }
    },
  }),

  ...(['approve', 'reject'] as const).map((verb) =>
    defineTool({
      name: `${verb}_gate`,
      title: verb === 'approve' ? 'Approve gate' : 'Reject gate',
      description:
        verb === 'approve'
          ? 'Lets a run go on that waits at a gate. Ask the person whom you work for first.'
          : 'Ends the wait of a run at a gate by a rejection, which fails it unless it handles that.',
      input: gateInput,
      action: 'gate.resolve',
      resource: ({ gate_id: key }) => ({ kind: 'gate', key }),
      effect: 'ends',
      async run({ context, request }, { gate_id: id, comment }) {
        const status = verb === 'approve' ? 'approved' : 'rejected'
        const gate = await resolveGate(context, request, { id, status, comment: comment ?? '' })
        return { json: clipObject(toWireGate(gate)) }
      },
    }),
  ),

  defineTool({
    name: 'set_pipeline',
    title: 'Set pipeline',
    description:
      'Stores a pipeline under a name, or replaces the one of that name; a driver that is left out is the default of the server. It is compiled first, and a fault is answered with line and column. Secrets are set elsewhere and stay.',
    input: pipelineInput,
    action: 'pipeline.set',
    resource: ({ name: key }) => ({ kind: 'pipeline', key }),
    effect: 'ends',
    async run({ context, request }, { name, ...body }) {
      checkName('pipeline', name)
      const pipeline = await setPipeline(context, request, { name, body })
      return { json: describePipelineBriefly(context, pipeline) }
    },
  }),
]
