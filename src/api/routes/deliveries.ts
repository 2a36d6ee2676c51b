import type { Request } from 'express'
import { nameOf } from '../../shared/authorize.js'
import type { Delivery } from '../../shared/db/webhook-deliveries.js'
import { AppError } from '../../shared/errors.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { renderDeliveriesPage } from '../pages/deliveries-page.js'
import { siteFor } from '../pages/site.js'
import { envelope, readPage } from '../read-page.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { redirect, sendHtml, sendJson } from '../send.js'
import { toWireDelivery, toWireTaken } from '../wire/delivery.js'
import { admitWebhook, type TakenWebhook } from '../webhooks/admit-webhook.js'
import { checkWebhooksFeature } from '../webhooks/check-feature.js'

const PIPELINE = { kind: 'pipeline', param: 'id' } as const
const READ = { action: 'pipeline.read', resource: PIPELINE } as const
const RUN = { action: 'pipeline.run', resource: PIPELINE } as const

/** What was sent to a pipeline and what became of it; delivering it again. */
export function addDeliveryRoutes({ route }: RouteTable, context: ApiContext): void {
  const { deliveries } = context

  route('GET', '/api/pipelines/:id/deliveries', READ, (request, response) => {
    checkWebhooksFeature(context)
    const { id } = getPipelineRef(context, pathParam(request, 'id'))
    const page = readPage(queryOf(request))
    const found = deliveries.list(id, page)
    const items = found.items.map((delivery) => toWireDelivery(delivery))
    sendJson(response, 200, { ...envelope(page, found), items })
  })

  route('GET', '/api/pipelines/:id/deliveries/:delivery', READ, (request, response) =>
    sendJson(response, 200, toWireDelivery(getDelivery(context, request))),
  )

  route('GET', '/api/pipelines/:id/deliveries/:delivery/body', READ, (request, response) => {
    const body = getBody(context, getDelivery(context, request))
    response.setHeader('Content-Type', 'application/octet-stream')
    response.end(body)
  })

  route(
    'POST',
    '/api/pipelines/:id/deliveries/:delivery/redeliver',
    RUN,
    async (request, response) => {
      const taken = await redeliver(context, request)
      sendJson(response, 202, toWireTaken(taken))
    },
  )

  route('GET', '/pipelines/:id/deliveries', READ, (request, response) => {
    checkWebhooksFeature(context)
    const pipeline = getPipelineRef(context, pathParam(request, 'id'))
    const page = readPage(queryOf(request))
    const found = deliveries.list(pipeline.id, page)
    const site = siteFor(context.site, actorOf(request))
    sendHtml(response, 200, renderDeliveriesPage({ site, pipeline, page, found }))
  })

  route('POST', '/pipelines/:id/deliveries/:delivery/redeliver', RUN, async (request, response) => {
    const taken = await redeliver(context, request)
    const { pipelineId } = taken.delivery
    const isRunning = taken.outcome === 'accepted'
    const path = isRunning ? `/runs/${taken.run.id}/tasks` : `/pipelines/${pipelineId}/deliveries`
    redirect(response, 303, path)
  })
}

function getDelivery(context: ApiContext, request: Request): Delivery {
  checkWebhooksFeature(context)
  const { id } = getPipelineRef(context, pathParam(request, 'id'))
  const delivery = context.deliveries.find(pathParam(request, 'delivery'))
  if (delivery?.pipelineId === id) return delivery
  throw new AppError('delivery_not_found', 'delivery not found')
}

function getBody({ deliveries }: ApiContext, { id }: Delivery): Buffer {
  const body = deliveries.findBody(id)
  if (body) return body
  throw new AppError('delivery_gone', 'the body of this delivery is not stored')
}

/** A new delivery of the same event, which its provider has signed when it was sent. */
async function redeliver(context: ApiContext, request: Request): Promise<TakenWebhook> {
  const { config, audit } = context
  const given = getDelivery(context, request)
  const body = getBody(context, given)
  const { delivery: _old, ...event } = given.event
  const { maxDeferred } = config.webhooks
  const taken = await admitWebhook(context, request, {
    ...{ pipelineId: given.pipelineId, event, body, firstId: given.id, maxDeferred },
    triggeredBy: nameOf(actorOf(request)),
  })
  const { pipelineId, id: target } = given
  await audit.record(request, { action: 'webhook.redeliver', pipelineId, target })
  return taken
}
