import type { Request } from 'express'
import { z } from 'zod'
import { AppError } from '../../shared/errors.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { pathParam, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireSchedule } from '../wire/schedule.js'

const enabledSchema = z.strictObject({ enabled: z.boolean().nullish() })

/** Listing the schedules of a pipeline, pausing one and letting it go on. */
export function addScheduleRoutes({ route }: RouteTable, context: ApiContext): void {
  const { schedules, config } = context
  route(
    'GET',
    '/api/pipelines/:id/schedules',
    { action: 'pipeline.read', resource: { kind: 'pipeline', param: 'id' } },
    (request, response) => {
      const { id } = getPipelineRef(context, pathParam(request, 'id'))
      const found = schedules.listOf(id)
      sendJson(
        response,
        200,
        found.map((schedule) => toWireSchedule(schedule)),
      )
    },
  )

  route(
    'PUT',
    '/api/schedules/:id/enabled',
    { action: 'pipeline.pause', resource: { kind: 'schedule', param: 'id' } },
    async (request, response) => {
      const json = await readJsonBody(request, { maxBytes: config.limits.bodyBytes })
      const { enabled } = parseBody(enabledSchema, json ?? {})
      const id = pathParam(request, 'id')
      await setScheduleEnabled(context, request, { id, isEnabled: enabled ?? false })
      sendJson(response, 200, { status: 'ok' })
    },
  )
}

/** Throws `access_denied` or `schedule_not_found`, and then nothing has changed. */
export async function setScheduleEnabled(
  { config, writer, schedules, now, audit }: ApiContext,
  request: Request,
  { id, isEnabled }: { id: string; isEnabled: boolean },
): Promise<void> {
  if (!config.features.includes('schedules'))
    throw new AppError('access_denied', 'schedules feature is not enabled')
  if (!(await writer.write('setScheduleEnabled', { id, isEnabled, now: now() })))
    throw new AppError('schedule_not_found', 'schedule not found')
  const action = isEnabled ? 'schedule.unpause' : 'schedule.pause'
  const pipelineId = schedules.find(id)?.pipelineId ?? ''
  await audit.record(request, { action, pipelineId, target: id })
}
