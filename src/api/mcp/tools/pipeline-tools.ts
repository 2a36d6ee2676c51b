import { z } from 'zod'
import { GATE_STATUSES } from '../../../shared/db/gates.js'
import type { Pipeline } from '../../../shared/db/pipelines.js'
import { AppError } from '../../../shared/errors.js'
import { getPipelineRef, type ApiContext } from '../../context.js'
import { envelope } from '../../read-page.js'
import { readGates, readGatesOfRun } from '../../routes/gates.js'
import { describePipeline } from '../../routes/pipelines.js'
import { toWireGate } from '../../wire/gate.js'
import { toWireSchedule } from '../../wire/schedule.js'
import { clip, clipObject } from '../clip.js'
import { defineTool } from '../tool.js'
import { pageFields, pipelineKey, runId, toPage } from '../tool-input.js'

/** Of the source of one pipeline: in a list, and in one answer. */
const LISTED_SOURCE_CHARS = 1_000
const SOURCE_CHARS = 30_000

/** Reading pipelines and what belongs to them. */
export const pipelineTools = [
  defineTool({
    name: 'get_pipeline',
    title: 'Get pipeline',
    description:
      'One pipeline by id or name: settings, declared inputs, source. A long source comes in parts: call again with the offset of the answer.',
    input: z.strictObject({ pipeline: pipelineKey, offset: z.int().min(0).nullish() }),
    action: 'pipeline.read',
    resource: ({ pipeline: key }) => ({ kind: 'pipeline', key }),
    effect: 'reads',
    run({ context }, { pipeline: key, offset }) {
      const start = offset ?? 0
      const { content, ...rest } = describePipeline(context, getPipeline(context, key))
      const end = start + SOURCE_CHARS
      const json = {
        ...clipObject(rest),
        content: content.slice(start, end),
        ...(end < content.length && { next_offset: end, content_chars: content.length }),
      }
      return { json }
    },
  }),

  defineTool({
    name: 'list_schedules',
    title: 'List schedules',
    description: 'When a pipeline starts runs by itself.',
    input: z.strictObject({ pipeline: pipelineKey }),
    action: 'pipeline.read',
    resource: ({ pipeline: key }) => ({ kind: 'pipeline', key }),
    effect: 'reads',
    run({ context }, { pipeline }) {
      const { id } = getPipelineRef(context, pipeline)
      const schedules = context.schedules.listOf(id).map((one) => toWireSchedule(one))
      return { json: { schedules: clip(schedules) } }
    },
  }),

  defineTool({
    name: 'list_gates',
    title: 'List gates',
    description:
      'Places where runs wait for a person: of one run, or of all, newest first. Those of status pending can be approved.',
    input: z.strictObject({
      run_id: runId.nullish(),
      status: z.enum(GATE_STATUSES).nullish(),
      ...pageFields,
    }),
    action: 'gate.list',
    resource: ({ run_id: key }) => (key ? { kind: 'run', key } : { kind: 'server' }),
    effect: 'reads',
    async run({ context, request }, { run_id: id, status, ...pages }) {
      if (id) {
        const gates = (await readGatesOfRun(context, id)).filter((one) => hasStatus(one, status))
        return { json: { gates: clip(gates.map((gate) => toWireGate(gate))) } }
      }
      const page = toPage(pages)
      const found = await readGates(context, request, { page, status: status ?? undefined })
      const items = clip(found.items.map((gate) => toWireGate(gate)))
      return { json: { ...envelope(page, found), items } }
    },
  }),
]

/** A pipeline in a list, as it is stored, with the beginning of its source. */
export function describePipelineBriefly(context: ApiContext, pipeline: Pipeline) {
  const { content, inputs: _inputs, ...rest } = describePipeline(context, pipeline)
  return {
    ...rest,
    content: content.slice(0, LISTED_SOURCE_CHARS),
    ...(content.length > LISTED_SOURCE_CHARS && { content_chars: content.length }),
  }
}

function getPipeline(context: ApiContext, key: string): Pipeline {
  const pipeline = context.pipelines.find(getPipelineRef(context, key).id)
  if (!pipeline) throw new AppError('pipeline_not_found', 'pipeline not found')
  return pipeline
}

function hasStatus(gate: { status: string }, wanted: string | null | undefined): boolean {
  return !wanted || gate.status === wanted
}
