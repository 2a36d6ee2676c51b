import type { Request } from 'express'
import { z } from 'zod'
import { GATE_STATUSES, type Gate, type GateStatus } from '../../shared/db/gates.js'
import type { Page, PageOf } from '../../shared/db/pipelines.js'
import { AppError } from '../../shared/errors.js'
import { isApprover, nameOf, UNKNOWN } from '../../shared/authorize.js'
import { listGates } from '../auth/visible.js'
import { getRun, type ApiContext } from '../context.js'
import { envelope, readPage } from '../read-page.js'
import { parseBody, readFormBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { redirect, sendJson } from '../send.js'
import { toWireGate } from '../wire/gate.js'

const bodySchema = z.strictObject({ comment: z.string().max(4_000).nullish() })

const AUDIT = { approved: 'gate.approve', rejected: 'gate.reject' } as const

/** Listing gates, approving and rejecting them. */
export function addGateRoutes({ route }: RouteTable, context: ApiContext): void {
  route(
    'GET',
    '/api/gates',
    { action: 'gate.list', resource: 'server' },
    async (request, response) => {
      const query = queryOf(request)
      const page = readPage(query)
      const status = parseStatus(query.get('status'))
      const found = await readGates(context, request, { page, status })
      sendJson(response, 200, {
        ...envelope(page, found),
        items: found.items.map((gate) => toWireGate(gate)),
      })
    },
  )

  route(
    'GET',
    '/api/runs/:run_id/gates',
    { action: 'run.read', resource: { kind: 'run', param: 'run_id' } },
    async (request, response) => {
      const found = await readGatesOfRun(context, pathParam(request, 'run_id'))
      sendJson(
        response,
        200,
        found.map((gate) => toWireGate(gate)),
      )
    },
  )

  const options = { action: 'gate.resolve', resource: { kind: 'gate', param: 'gate_id' } } as const
  const { bodyBytes } = context.config.limits
  for (const [verb, status] of [
    ['approve', 'approved'],
    ['reject', 'rejected'],
  ] as const) {
    route('POST', `/api/gates/:gate_id/${verb}`, options, async (request, response) => {
      const json = await readJsonBody(request, { maxBytes: bodyBytes })
      const comment = parseBody(bodySchema, json ?? {}).comment ?? ''
      const id = pathParam(request, 'gate_id')
      const gate = await resolveGate(context, request, { id, status, comment })
      sendJson(response, 200, toWireGate(gate))
    })
    // the buttons of a run's page
    route('POST', `/gates/:gate_id/${verb}`, options, async (request, response) => {
      const form = await readFormBody(request, bodyBytes)
      const { comment } = parseBody(bodySchema, Object.fromEntries(form))
      const resolution = { id: pathParam(request, 'gate_id'), status, comment: comment ?? '' }
      const { runId } = await resolveGate(context, request, resolution)
      redirect(response, 303, `/runs/${runId}/tasks`)
    })
  }
}

/** A page of gates, newest first, of one status or of all. Throws `access_denied` when the feature is off. */
export async function readGates(
  context: ApiContext,
  request: Request,
  { page, status }: { page: Page; status: GateStatus | undefined },
): Promise<PageOf<Gate>> {
  checkFeature(context)
  const listed = listGates(context, request, { status, page })
  const isStale = await expireOverdue(context, listed.items)
  return isStale ? listGates(context, request, { status, page }) : listed
}

/** All of a run, oldest first. Throws `access_denied` when the feature is off, or `run_not_found`. */
export async function readGatesOfRun(context: ApiContext, runId: string): Promise<Gate[]> {
  checkFeature(context)
  const { gates } = context
  const { id } = getRun(context, runId)
  const listed = gates.listOfRun(id)
  return (await expireOverdue(context, listed)) ? gates.listOfRun(id) : listed
}

function checkFeature({ config }: ApiContext): void {
  if (!config.features.includes('gates'))
    throw new AppError('access_denied', 'gates feature is not enabled')
}

function parseStatus(text: string | null): GateStatus | undefined {
  if (text === null || text === '') return undefined
  const status = GATE_STATUSES.find((one) => one === text)
  if (status) return status
  throw new AppError(
    'request_invalid',
    `unknown status ${JSON.stringify(text.slice(0, 100))} (valid: ${GATE_STATUSES.join(', ')})`,
  )
}

/** Gates whose time is over and which nobody has looked at since: whoever notices first says so. */
async function expireOverdue(
  { writer, now }: ApiContext,
  listed: readonly Gate[],
): Promise<boolean> {
  const overdue = listed.filter(
    ({ status, deadlineAt }) => status === 'pending' && deadlineAt !== null && deadlineAt <= now(),
  )
  const runIds = [...new Set(overdue.map(({ runId }) => runId))]
  if (runIds.length > 0) await writer.write('expireGates', { runIds, now: now() })
  return runIds.length > 0
}

/**
 * Approves or rejects a gate. Throws `access_denied`, `gate_not_found`, `gate_resolved` or
 * `run_not_in_flight`, and then nothing has changed.
 */
export async function resolveGate(
  context: ApiContext,
  request: Request,
  { id, status, comment }: { id: string; status: 'approved' | 'rejected'; comment: string },
): Promise<Gate> {
  checkFeature(context)
  const { gates, writer, audit, now } = context
  const actor = actorOf(request)
  const asked = gates.find(id)
  if (asked && !isApprover(actor, asked.approvers)) {
    const { pipelineId } = asked
    audit.deny(request, { action: AUDIT[status], pipelineId, target: id })
    throw new AppError('access_denied', 'access denied: the gate names its approvers')
  }
  const resolution = { status, by: nameOf(actor) || UNKNOWN, comment }
  const result = await writer.write('resolveGate', { id, resolution, now: now() })
  switch (result.outcome) {
    case 'resolved':
      await audit.record(request, {
        ...{ action: AUDIT[status], pipelineId: result.gate.pipelineId, target: id },
        details: { run: result.gate.runId },
      })
      return result.gate
    case 'already':
      throw new AppError('gate_resolved', `gate is already ${result.status}`)
    case 'run_ended':
      throw new AppError('run_not_in_flight', 'run is not currently in flight')
    case 'not_found':
      throw new AppError('gate_not_found', 'gate not found')
  }
}
