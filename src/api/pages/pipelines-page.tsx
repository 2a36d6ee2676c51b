import { isTerminal } from '../../shared/contract/statuses.js'
import type { Page, PageOf, PipelineSummary } from '../../shared/db/pipelines.js'
import type { Run } from '../../shared/db/runs.js'
import type { Site } from './site.js'
import { Pager } from './pager.js'
import { renderPage } from './render-page.js'
import { StatusPill } from './status.js'
import { Time } from './time.js'
import { TriggerForm } from './trigger-form.js'

export interface PipelinesPageProps {
  site: Site
  page: Page
  search: string
  defaultDriver: string
  found: PageOf<PipelineSummary & { latestRun: Run | undefined; hasInputs: boolean }>
}

/** All pipelines with their latest runs. */
export function renderPipelinesPage(props: PipelinesPageProps): string {
  const { site, page, search, found } = props
  const isActive = found.items.some(({ latestRun }) => latestRun && !isTerminal(latestRun.status))
  return renderPage({
    site,
    title: 'Pipelines',
    crumbs: [{ text: 'Pipelines', href: '/pipelines/' }],
    scripts: ['trigger.js'],
    children: (
      <>
        <div class="head">
          <h1>
            Pipelines <span class="count">{found.totalItems}</span>
          </h1>
          <form role="search" action="/pipelines/">
            <input
              id="pipeline-search"
              class="input"
              type="search"
              name="q"
              value={search}
              aria-label="Search pipelines"
              placeholder="Search pipelines by name or content…"
            />
          </form>
        </div>
        <div id="pipelines-content" class="stack" data-refresh={isActive ? 'active' : 'idle'}>
          {found.items.length === 0 ? <Empty search={search} /> : <Table {...props} />}
          <Pager {...page} totalItems={found.totalItems} search={search} />
        </div>
      </>
    ),
  })
}

function Table({ found, defaultDriver }: PipelinesPageProps) {
  return (
    <div class="card">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Driver</th>
            <th scope="col">Latest Run</th>
            <th scope="col">Created</th>
            <th scope="col">
              <span class="vh">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.items.map(({ id, name, driver, isPaused, createdAt, latestRun, hasInputs }) => (
            <tr>
              <th scope="row">
                <a href={`/pipelines/${id}/`}>{name}</a>
                {isPaused && <span class="pill is-waiting">Paused</span>}
              </th>
              <td data-label="Driver">
                <code>{driver || defaultDriver}</code>
              </td>
              <td data-label="Latest run">
                {latestRun ? (
                  <a href={`/runs/${latestRun.id}/tasks`}>
                    <StatusPill status={latestRun.status} />
                  </a>
                ) : (
                  <span class="dim">No runs</span>
                )}
              </td>
              <td data-label="Created">
                <Time at={createdAt} />
              </td>
              <td class="acts">
                {hasInputs ? (
                  <a
                    class="btn"
                    href={`/pipelines/${id}/#trigger`}
                    aria-label={`Trigger ${name} with inputs`}
                  >
                    Trigger…
                  </a>
                ) : (
                  <TriggerForm id={id} name={name} isPaused={isPaused} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Empty({ search }: { search: string }) {
  if (search !== '')
    return (
      <section class="empty card">
        <p>
          No pipelines match <strong>{search}</strong>.
        </p>
        <a class="btn" href="/pipelines/">
          Show all
        </a>
      </section>
    )
  return (
    <section class="empty card">
      <h2>No pipelines found.</h2>
      <p>A pipeline is a TypeScript function. Write one, send it, and it shows up here:</p>
      <pre class="code">
        <code>
          {`pocketci pipeline set hello.ts --server-url <this address>\npocketci pipeline run hello --server-url <this address>`}
        </code>
      </pre>
    </section>
  )
}
