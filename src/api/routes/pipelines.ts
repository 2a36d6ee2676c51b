import type { Request } from 'express'
import { AppError } from '../../shared/errors.js'
import type { Pipeline, PipelineRef, PipelineSummary } from '../../shared/db/pipelines.js'
import { nameOf } from '../../shared/authorize.js'
import { openBodyStream } from '../body-stream.js'
import { listPipelines } from '../auth/visible.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { envelope, readPage } from '../read-page.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWirePipeline } from '../wire/pipeline.js'
import { showRun } from './runs.js'

/** Listing, reading, pausing and deleting pipelines. */
export function addPipelineRoutes({ route }: RouteTable, context: ApiContext): void {
  const { pipelines, runs, audit } = context
  const resource = { kind: 'pipeline', param: 'id' } as const

  route(
    'GET',
    '/api/pipelines',
    { action: 'pipeline.list', resource: 'server' },
    async (request, response) => {
      const query = queryOf(request)
      const page = readPage(query)
      const found = listPipelines(context, request, { search: query.get('q') ?? '', page })
      const { gone, write, end } = openBodyStream(response, { 'Content-Type': 'application/json' })
      await write(`${JSON.stringify(envelope(page, found)).slice(0, -1)},"items":[`)
      let separator = ''
      for (const text of listWithContent(context, found.items)) {
        await write(`${separator}${text}`)
        if (gone.aborted) return
        separator = ','
      }
      await write(']}')
      end()
    },
  )

  route('GET', '/api/pipelines/:id', { action: 'pipeline.read', resource }, (request, response) => {
    const { id } = getPipelineRef(context, pathParam(request, 'id'))
    const pipeline = pipelines.find(id)
    if (!pipeline) throw new AppError('pipeline_not_found', 'pipeline not found')
    sendJson(response, 200, describePipeline(context, pipeline))
  })

  route('GET', '/api/pipelines/:id/runs', { action: 'run.list', resource }, (request, response) => {
    const { id } = getPipelineRef(context, pathParam(request, 'id'))
    const page = readPage(queryOf(request))
    const found = runs.list(page, id)
    sendJson(response, 200, {
      ...envelope(page, found),
      items: found.items.map((run) => showRun(context, run)),
    })
  })

  for (const verb of ['pause', 'unpause'] as const)
    route(
      'POST',
      `/api/pipelines/:id/${verb}`,
      { action: 'pipeline.pause', resource },
      async (request, response) => {
        const { id } = getPipelineRef(context, pathParam(request, 'id'))
        const isPaused = verb === 'pause'
        await setPaused(context, request, { id, isPaused })
        sendJson(response, 200, { id, paused: isPaused, message: `pipeline ${verb}d` })
      },
    )

  route(
    'DELETE',
    '/api/pipelines/:id',
    { action: 'pipeline.delete', resource },
    async (request, response) => {
      const pipeline = getPipelineRef(context, pathParam(request, 'id'))
      const rule = pipelines.findRule(pipeline.id)
      await removePipeline(context, pipeline, nameOf(actorOf(request)))
      const details = { name: pipeline.name }
      await audit.record(request, {
        ...{ action: 'pipeline.delete', pipelineId: pipeline.id, rule, details },
      })
      response.status(204).end()
    },
  )
}

/** Lets a pipeline take no new runs, or take them again. Throws `pipeline_not_found`. */
export async function setPaused(
  { writer, audit, now }: ApiContext,
  request: Request,
  { id, isPaused }: { id: string; isPaused: boolean },
): Promise<void> {
  if (!(await writer.write('setPaused', { id, isPaused, now: now() })))
    throw new AppError('pipeline_not_found', 'pipeline not found')
  const action = isPaused ? 'pipeline.pause' : 'pipeline.unpause'
  await audit.record(request, { action, pipelineId: id })
}

/** A page's pipelines as JSON; one source at a time is in memory. */
function* listWithContent(
  context: ApiContext,
  items: readonly PipelineSummary[],
): Generator<string> {
  for (const { id } of items) {
    const pipeline = context.pipelines.find(id)
    // deleted meanwhile
    if (!pipeline) continue
    yield JSON.stringify(describePipeline(context, pipeline))
  }
}

/** A pipeline as clients see it. */
export function describePipeline(
  { config, pipelineInputs }: ApiContext,
  pipeline: Pipeline,
): ReturnType<typeof toWirePipeline> {
  const inputs = pipelineInputs.find(pipeline.id)
  return toWirePipeline(pipeline, { defaultDriver: config.drivers.default, inputs })
}

/** Stops what runs and waits for it: nothing may write for a pipeline that is gone. */
async function removePipeline(
  { writer, changes, now, timings }: ApiContext,
  { id }: PipelineRef,
  by: string,
): Promise<void> {
  const timeout = AbortSignal.timeout(timings.deletionMs)
  for (;;) {
    const seen = changes.version
    const result = await writer.write('removePipeline', { id, by, now: now() })
    switch (result) {
      case 'removed':
        return
      case 'not_found':
        throw new AppError('pipeline_not_found', 'pipeline not found')
      case 'active':
        if (timeout.aborted)
          throw new AppError(
            'pipeline_stopping',
            'runs of the pipeline are still stopping: delete it again in a moment',
          )
        await changes.changed(seen, timeout)
    }
  }
}
