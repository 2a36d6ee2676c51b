import { z } from 'zod'
import { givenInputsSchema, type GivenInputs } from '../../shared/contract/inputs.js'
import { isTerminal } from '../../shared/contract/statuses.js'
import type { KeptVolumes } from '../../shared/db/kept-volumes.js'
import type { Run } from '../../shared/db/runs.js'
import { listPipelines } from '../auth/visible.js'
import { getPipelineRef, getRun, type ApiContext } from '../context.js'
import { AppError } from '../../shared/errors.js'
import { renderPipelinePage } from '../pages/pipeline-page.js'
import { renderPipelinesPage } from '../pages/pipelines-page.js'
import { INPUT_FIELD } from '../pages/trigger-form.js'
import { siteFor } from '../pages/site.js'
import { renderRunPage } from '../pages/run-page.js'
import { readOutputHeads } from '../read-output-head.js'
import { readLife } from '../read-life.js'
import { readPage } from '../read-page.js'
import { parseBody, readFormBody } from '../request-body.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { redirect, sendHtml } from '../send.js'
import { setPaused } from './pipelines.js'
import { restartRun, retrigger } from './restart-runs.js'
import { stopRun } from './runs.js'
import { createShareLink } from './share-links.js'
import { setScheduleEnabled } from './schedules.js'
import { admitRun } from './triggers.js'

/** The number of a step. */
const rerunFormSchema = z.object({ from: z.coerce.number().int().min(1) })

const PIPELINE = { kind: 'pipeline', param: 'id' } as const
const RUN = { kind: 'run', param: 'id' } as const

/** The pages, and what their buttons do without script: POST, then back to a page. */
export function addPageRoutes(table: RouteTable, context: ApiContext): void {
  addPipelinePages(table, context)
  addPipelineForms(table, context)
  addScheduleForms(table, context)
  addRunPages(table, context)
}

function addPipelinePages({ route }: RouteTable, context: ApiContext): void {
  const { site, config, pipelines, pipelineInputs, schedules, runs, now } = context
  const defaultDriver = config.drivers.default

  route('GET', '/', { action: 'pipeline.list', resource: 'server' }, (_, response) =>
    redirect(response, 301, '/pipelines/'),
  )

  route(
    'GET',
    '/pipelines/',
    { action: 'pipeline.list', resource: 'server' },
    (request, response) => {
      const query = queryOf(request)
      const page = readPage(query)
      const search = query.get('q') ?? ''
      const { items, totalItems } = listPipelines(context, request, { search, page })
      const withRuns = items.map((item) => ({
        ...item,
        latestRun: runs.findLatest(item.id),
        hasInputs: Object.keys(pipelineInputs.find(item.id)).length > 0,
      }))
      const found = { items: withRuns, totalItems }
      sendHtml(
        response,
        200,
        renderPipelinesPage({
          site: siteFor(site, actorOf(request)),
          page,
          search,
          defaultDriver,
          found,
        }),
      )
    },
  )

  route(
    'GET',
    '/pipelines/:id/',
    { action: 'pipeline.read', resource: PIPELINE },
    (request, response) => {
      const { id } = getPipelineRef(context, pathParam(request, 'id'))
      const pipeline = pipelines.find(id)
      if (!pipeline) throw new AppError('pipeline_not_found', 'pipeline not found')
      const page = readPage(queryOf(request))
      const props = {
        site: siteFor(site, actorOf(request)),
        pipeline,
        inputs: pipelineInputs.find(id),
        hasWebhooks: config.features.includes('webhooks'),
        schedules: schedules.listOf(id),
        canFire: config.features.includes('schedules'),
        defaultDriver,
        page,
        found: runs.list(page, id),
        now: now(),
      }
      sendHtml(response, 200, renderPipelinePage(props))
    },
  )
}

function addPipelineForms({ route }: RouteTable, context: ApiContext): void {
  route(
    'POST',
    '/pipelines/:id/trigger',
    { action: 'pipeline.run', resource: PIPELINE },
    async (request, response) => {
      const form = await readFormBody(request, context.config.limits.bodyBytes)
      const { id } = getPipelineRef(context, pathParam(request, 'id'))
      const run = await admitRun(context, request, {
        ...{ pipelineId: id, type: 'manual', input: {} },
        inputs: readFields(form),
      })
      redirect(response, 303, `/runs/${run.id}/tasks`)
    },
  )

  for (const verb of ['pause', 'unpause'] as const)
    route(
      'POST',
      `/pipelines/:id/${verb}`,
      { action: 'pipeline.pause', resource: PIPELINE },
      async (request, response) => {
        const { id } = getPipelineRef(context, pathParam(request, 'id'))
        await setPaused(context, request, { id, isPaused: verb === 'pause' })
        redirect(response, 303, `/pipelines/${id}/`)
      },
    )
}

/** A working directory has to be there, or, while the run goes on, to stay for a while. */
function canResume({ config }: ApiContext, run: Run, kept: KeptVolumes | undefined): boolean {
  const staysFor = isTerminal(run.status) ? 0 : config.volumes.keepMs
  return config.features.includes('resume') && (!run.hasUpload || !!kept || staysFor > 0)
}

function addScheduleForms({ route }: RouteTable, context: ApiContext): void {
  for (const verb of ['pause', 'unpause'] as const)
    route(
      'POST',
      `/pipelines/:id/schedules/:schedule_id/${verb}`,
      { action: 'pipeline.pause', resource: PIPELINE },
      async (request, response) => {
        const { id } = getPipelineRef(context, pathParam(request, 'id'))
        // another pipeline's is none of what was asked for
        const schedule = context.schedules.find(pathParam(request, 'schedule_id'))
        if (schedule?.pipelineId !== id)
          throw new AppError('schedule_not_found', 'schedule not found')
        await setScheduleEnabled(context, request, {
          id: schedule.id,
          isEnabled: verb === 'unpause',
        })
        redirect(response, 303, `/pipelines/${id}/`)
      },
    )
}

/** The inputs of a submitted form; an empty field means the default. */
function readFields(form: URLSearchParams): GivenInputs {
  const fields = [...form].filter(([name, text]) => name.startsWith(INPUT_FIELD) && text !== '')
  const inputs = fields.map(([name, text]) => [name.slice(INPUT_FIELD.length), text])
  return parseBody(givenInputsSchema, Object.fromEntries(inputs))
}

function addRunPages({ route }: RouteTable, context: ApiContext): void {
  const { site, config, tasks, gates, logs, waitReasons, keptVolumes, now } = context

  route('GET', '/runs/:id', { action: 'run.read', resource: RUN }, (request, response) => {
    const { id } = getRun(context, pathParam(request, 'id'))
    redirect(response, 302, `/runs/${id}/tasks`)
  })

  route('GET', '/runs/:id/tasks', { action: 'run.read', resource: RUN }, (request, response) => {
    const run = getRun(context, pathParam(request, 'id'))
    const pipeline = getPipelineRef(context, run.pipelineId)
    const kept = keptVolumes.find(run.id)
    const page = renderRunPage({
      site: siteFor(site, actorOf(request)),
      run,
      waits: waitReasons.find(run, now()),
      pipeline,
      gates: config.features.includes('gates') ? gates.listOfRun(run.id) : [],
      ...readOutputHeads({ tasks, logs }, run.id),
      canResume: canResume(context, run, kept),
      kept,
      now: now(),
    })
    sendHtml(response, 200, page)
  })

  route(
    'POST',
    '/runs/:id/resume',
    { action: 'run.resume', resource: RUN },
    async (request, response) => {
      const { id } = getRun(context, pathParam(request, 'id'))
      await restartRun(context, request, { runId: id })
      redirect(response, 303, `/runs/${id}/tasks`)
    },
  )

  route(
    'POST',
    '/runs/:id/rerun',
    { action: 'run.resume', resource: RUN },
    async (request, response) => {
      const form = await readFormBody(request, context.config.limits.bodyBytes)
      const { from } = parseBody(rerunFormSchema, Object.fromEntries(form))
      const { id } = getRun(context, pathParam(request, 'id'))
      await restartRun(context, request, { runId: id, from })
      redirect(response, 303, `/runs/${id}/tasks`)
    },
  )

  route(
    'POST',
    '/runs/:id/retrigger',
    { action: 'run.retrigger', resource: RUN },
    async (request, response) => {
      const run = await retrigger(context, request, getRun(context, pathParam(request, 'id')))
      redirect(response, 303, `/runs/${run.id}/tasks`)
    },
  )

  route(
    'POST',
    '/runs/:id/share',
    { action: 'run.share', resource: RUN },
    async (request, response) => {
      const { id: runId } = getRun(context, pathParam(request, 'id'))
      redirect(
        response,
        303,
        (await createShareLink(context, request, { runId, lifeMs: readLife(null) })).path,
      )
    },
  )

  route(
    'POST',
    '/runs/:id/stop',
    { action: 'run.stop', resource: RUN },
    async (request, response) => {
      const { id } = getRun(context, pathParam(request, 'id'))
      await stopRun(context, request, id)
      redirect(response, 303, `/runs/${id}/tasks`)
    },
  )
}
