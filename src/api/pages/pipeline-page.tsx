import type { InputDeclarations } from '../../shared/contract/inputs.js'
import { isTerminal } from '../../shared/contract/statuses.js'
import type { Page, PageOf, Pipeline } from '../../shared/db/pipelines.js'
import type { Run } from '../../shared/db/runs.js'
import type { Schedule } from '../../shared/db/schedules.js'
import type { Site } from './site.js'
import { visibleText } from './log-text.js'
import { Pager } from './pager.js'
import { renderPage } from './render-page.js'
import { ScheduleTable } from './schedule-table.js'
import { StatusPill } from './status.js'
import { Elapsed, Time } from './time.js'
import { TriggerForm } from './trigger-form.js'

export interface PipelinePageProps {
  site: Site
  pipeline: Pipeline
  inputs: InputDeclarations
  schedules: readonly Schedule[]
  /** The feature is on. */
  canFire: boolean
  defaultDriver: string
  /** The feature is open. */
  hasWebhooks: boolean
  page: Page
  found: PageOf<Run>
  now: number
}

/** A pipeline with its runs, newest first. */
export function renderPipelinePage(props: PipelinePageProps): string {
  const { site, pipeline, defaultDriver, page, found, schedules, canFire } = props
  const { id, name, isPaused } = pipeline
  const hasInputs = Object.keys(props.inputs).length > 0
  return renderPage({
    site,
    title: name,
    crumbs: [
      { text: 'Pipelines', href: '/pipelines/' },
      { text: name, href: `/pipelines/${id}/` },
    ],
    scripts: ['trigger.js'],
    children: (
      <>
        <div class="head">
          <h1>{name}</h1>
          <div class="btns">
            {!hasInputs && <TriggerForm id={id} name={name} isPaused={isPaused} />}
            <form method="post" action={`/pipelines/${id}/${isPaused ? 'unpause' : 'pause'}`}>
              <button class="btn">{isPaused ? 'Unpause Pipeline' : 'Pause Pipeline'}</button>
            </form>
          </div>
        </div>
        <ul class="meta" aria-label="About this pipeline">
          <li>
            Driver <code>{pipeline.driver || defaultDriver}</code>
          </li>
          <li>
            <span>Created</span> <Time at={pipeline.createdAt} />
          </li>
          <li>
            <span>Updated</span> <Time at={pipeline.updatedAt} />
          </li>
          {props.hasWebhooks && (
            <li>
              <a href={`/pipelines/${id}/deliveries`}>Webhooks</a>
            </li>
          )}
        </ul>
        {isPaused && (
          <p class="banner is-waiting">This pipeline is paused. No new runs will be triggered.</p>
        )}
        {hasInputs && (
          <section id="trigger" class="card" aria-label="Trigger a run">
            <TriggerForm id={id} name={name} isPaused={isPaused} inputs={props.inputs} />
          </section>
        )}
        {schedules.length > 0 && (
          <ScheduleTable pipelineId={id} schedules={schedules} canFire={canFire} />
        )}
        <section id="runs-section" class="stack" data-refresh={refreshOf(found)}>
          <h2>
            Pipeline Runs <span class="count">{found.totalItems}</span>
          </h2>
          {found.items.length === 0 ? (
            <p class="empty card">No runs yet. Press Trigger to start the first one.</p>
          ) : (
            <RunTable {...props} />
          )}
          <Pager {...page} totalItems={found.totalItems} />
        </section>
        <details class="card source">
          <summary>Source</summary>
          <pre class="code" tabIndex={0}>
            <code>{visibleText(pipeline.content.slice(0, MAX_SOURCE_CHARS))}</code>
          </pre>
          {pipeline.content.length > MAX_SOURCE_CHARS && (
            <p class="sub">
              Only its beginning is shown; <a href={`/api/pipelines/${id}`}>all of it as JSON</a>.
            </p>
          )}
        </details>
      </>
    ),
  })
}

/** Generated bundles do not belong on a page as a whole. */
const MAX_SOURCE_CHARS = 65_536

function RunTable({ found, now }: PipelinePageProps) {
  return (
    <div class="card">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Run ID</th>
            <th scope="col">Status</th>
            <th scope="col">Trigger</th>
            <th scope="col">Created</th>
            <th scope="col">Duration</th>
            <th scope="col">
              <span class="vh">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.items.map((run) => (
            <tr>
              <th scope="row">
                <a class="mono" href={`/runs/${run.id}/tasks`} title={run.id}>
                  {run.id.slice(0, 8)}
                </a>
              </th>
              <td data-label="Status">
                <StatusPill status={run.status} />
              </td>
              <td data-label="Trigger">{triggerOf(run)}</td>
              <td data-label="Created">
                <Time at={run.createdAt} />
              </td>
              <td data-label="Duration">
                <Elapsed start={run.startedAt} end={run.completedAt} now={now} />
              </td>
              <td class="acts">
                <a class="btn" href={`/runs/${run.id}/tasks`}>
                  Tasks
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Who or what started a run. */
export function triggerOf({ triggerType, triggeredBy }: Run): string {
  return triggeredBy === '' ? triggerType : `${triggerType} · ${triggeredBy}`
}

function refreshOf({ items }: PageOf<Run>): 'active' | 'idle' {
  return items.some(({ status }) => !isTerminal(status)) ? 'active' : 'idle'
}
