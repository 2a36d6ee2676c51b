import type { Page, PageOf, PipelineRef } from '../../shared/db/pipelines.js'
import type { Delivery } from '../../shared/db/webhook-deliveries.js'
import { visibleText } from './log-text.js'
import { Pager } from './pager.js'
import { renderPage } from './render-page.js'
import type { Site } from './site.js'
import { Time } from './time.js'

export interface DeliveriesPageProps {
  site: Site
  pipeline: PipelineRef
  page: Page
  found: PageOf<Delivery>
}

/** The webhooks that were sent to a pipeline, newest first. */
export function renderDeliveriesPage({ site, pipeline, page, found }: DeliveriesPageProps): string {
  const { id, name } = pipeline
  return renderPage({
    site,
    title: `${name} webhooks`,
    crumbs: [
      { text: 'Pipelines', href: '/pipelines/' },
      { text: name, href: `/pipelines/${id}/` },
      { text: 'Webhooks', href: `/pipelines/${id}/deliveries` },
    ],
    children: (
      <>
        <div class="head">
          <h1>Webhooks</h1>
        </div>
        <p class="sub">
          Sent to <code>{`/api/webhooks/${id}`}</code>
        </p>
        <section class="stack" aria-label="Deliveries">
          {found.items.length === 0 ? (
            <p class="empty card">Nothing was sent yet, or it was too long ago.</p>
          ) : (
            <DeliveryTable deliveries={found.items} />
          )}
          <Pager {...page} totalItems={found.totalItems} />
        </section>
      </>
    ),
  })
}

function DeliveryTable({ deliveries }: { deliveries: readonly Delivery[] }) {
  return (
    <div class="card">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Received</th>
            <th scope="col">From</th>
            <th scope="col">Outcome</th>
            <th scope="col">Run</th>
            <th scope="col">Bytes</th>
            <th scope="col">
              <span class="vh">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <DeliveryRow key={delivery.id} delivery={delivery} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function DeliveryRow({ delivery }: { delivery: Delivery }) {
  const { id, pipelineId, event, outcome, reason, runId, bodyBytes, hasBody } = delivery
  const path = `/pipelines/${pipelineId}/deliveries/${id}`
  return (
    <tr>
      <th scope="row">
        <a href={`/api${path}`} title={id}>
          <Time at={delivery.receivedAt} />
        </a>
      </th>
      <td data-label="From">{visibleText(`${event.provider} ${event.eventType}`)}</td>
      <td data-label="Outcome">{reason === '' ? outcome : `${outcome}: ${reason}`}</td>
      <td data-label="Run">
        {runId === null ? (
          <span class="dim">—</span>
        ) : (
          <a class="mono" href={`/runs/${runId}/tasks`}>
            {runId.slice(0, 8)}
          </a>
        )}
      </td>
      <td data-label="Bytes" class="num">
        {bodyBytes}
      </td>
      <td class="acts">
        {hasBody && (
          <>
            <a class="btn" href={`/api${path}/body`} download={`${id}.txt`}>
              Body
            </a>
            <form method="post" action={`${path}/redeliver`}>
              <button class="btn">Deliver Again</button>
            </form>
          </>
        )}
      </td>
    </tr>
  )
}
