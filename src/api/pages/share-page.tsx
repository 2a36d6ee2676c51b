import { isTerminal } from '../../shared/contract/statuses.js'
import type { Run } from '../../shared/db/runs.js'
import type { OutputHeads } from '../read-output-head.js'
import type { Site } from './site.js'
import { visibleText } from './log-text.js'
import { renderPage } from './render-page.js'
import { Args, noteOf, Step } from './run-page.js'
import { StatusPill } from './status.js'
import { Elapsed, Time } from './time.js'

export interface SharePageProps extends OutputHeads {
  site: Site
  /** Masked already, like the output. */
  run: Run
  pipelineName: string
  /** Where the output of steps is, by `?step=`. */
  logPath: string
  now: number
}

/** A run to be looked at by strangers: no buttons, and no way to anything else. */
export function renderSharePage(props: SharePageProps): string {
  const { site, run, pipelineName, steps, omitted, logPath, now } = props
  const shortId = run.id.slice(0, 8)
  return renderPage({
    site: { ...site, notice: undefined },
    title: `${pipelineName} ${shortId}`,
    crumbs: [
      { text: 'Shared Run', href: '' },
      { text: shortId, href: '' },
    ],
    children: (
      <>
        <div class="head">
          <h1>Tasks</h1>
          <StatusPill id="run-status-badge" status={run.status} />
        </div>
        <ul class="meta" aria-label="About this run">
          <li>{visibleText(pipelineName)}</li>
          <li>
            <span>Created</span> <Time at={run.createdAt} />
          </li>
          <li>
            <span>Took</span> <Elapsed start={run.startedAt} end={run.completedAt} now={now} />
          </li>
          <Args run={run} />
        </ul>
        <section id="run-error-alert" class="banner is-failed" hidden={run.errorMessage === ''}>
          <strong>{run.status === 'skipped' ? 'Run skipped' : 'Run failed'}</strong>
          <pre>{visibleText(run.errorMessage)}</pre>
        </section>
        <section
          id="tasks-container"
          class="card steps"
          data-readonly="true"
          data-run-active={String(!isTerminal(run.status))}
        >
          <Step logPath={logPath} step={0} name="Console" head={props.console} now={now} />
          {steps.map(({ task, head }) => (
            <Step
              logPath={logPath}
              step={task.step}
              name={task.name}
              task={task}
              note={noteOf(run, task)}
              head={head}
              now={now}
            />
          ))}
        </section>
        {omitted > 0 && <p class="sub">{`${omitted} more steps are not shown.`}</p>}
      </>
    ),
  })
}
