import type { Request } from 'express'
import type { Run } from '../../shared/db/runs.js'
import { AppError } from '../../shared/errors.js'
import { nameOf } from '../../shared/authorize.js'
import { listRuns } from '../auth/visible.js'
import { getRun, type ApiContext } from '../context.js'
import { envelope, readPage } from '../read-page.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireRun } from '../wire/run.js'

/** Listing, reading and stopping runs. */
export function addRunRoutes({ route }: RouteTable, context: ApiContext): void {
  const resource = { kind: 'run', param: 'run_id' } as const

  route('GET', '/api/runs', { action: 'run.list', resource: 'server' }, (request, response) => {
    const page = readPage(queryOf(request))
    const found = listRuns(context, request, page)
    sendJson(response, 200, {
      ...envelope(page, found),
      items: found.items.map((run) => showRun(context, run)),
    })
  })

  route('GET', '/api/runs/:run_id/status', { action: 'run.read', resource }, (request, response) =>
    sendJson(response, 200, showRun(context, getRun(context, pathParam(request, 'run_id')))),
  )

  route(
    'POST',
    '/api/runs/:run_id/stop',
    { action: 'run.stop', resource },
    async (request, response) => {
      const runId = pathParam(request, 'run_id')
      const status = await stopRun(context, request, runId)
      sendJson(response, 200, { run_id: runId, status })
    },
  )
}

/** A run on the wire, with why it waits and what it has left. */
export function showRun(
  { waitReasons, keptVolumes, now }: ApiContext,
  run: Run,
): ReturnType<typeof toWireRun> {
  return toWireRun(run, waitReasons.find(run, now()), keptVolumes.find(run.id))
}

/**
 * Ends a queued run, or asks the executor of a running one to. Throws `run_not_found` or
 * `run_not_in_flight`.
 */
export async function stopRun(
  { config, writer, now, runs, audit }: ApiContext,
  request: Request,
  runId: string,
): Promise<'stopped' | 'stopping'> {
  const by = nameOf(actorOf(request))
  const result = await writer.write('stopRun', { runId, by, keep: config.volumes, now: now() })
  switch (result) {
    case 'stopped':
    case 'stopping': {
      const pipelineId = runs.find(runId)?.pipelineId ?? ''
      await audit.record(request, { action: 'run.stop', pipelineId, target: runId })
      return result
    }
    case 'not_found':
      throw new AppError('run_not_found', 'run not found')
    case 'ended':
      throw new AppError('run_not_in_flight', 'run is not currently in flight')
  }
}
