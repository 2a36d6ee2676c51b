import { isTerminal } from '../../shared/contract/statuses.js'
import type { Gate } from '../../shared/db/gates.js'
import type { PipelineRef } from '../../shared/db/pipelines.js'
import type { KeptVolumes } from '../../shared/db/kept-volumes.js'
import type { Run } from '../../shared/db/runs.js'
import { EARLIER, type Task } from '../../shared/db/tasks.js'
import { describeWait, type WaitReason } from '../../shared/db/wait-reasons.js'
import { isKept } from '../wire/task.js'
import { GateList } from './gate-list.js'
import type { Site } from './site.js'
import { visibleText } from './log-text.js'
import { triggerOf } from './pipeline-page.js'
import { renderPage } from './render-page.js'
import { StatusPill } from './status.js'
import { Elapsed, Time } from './time.js'

/** The beginning of a step's output, for readers without script. */
export interface OutputHead {
  text: string
  /** Bytes of output in all. */
  size: number
  isWhole: boolean
}

export interface RunPageProps {
  site: Site
  run: Run
  /** Of a queued run. */
  waits: WaitReason | undefined
  pipeline: PipelineRef
  gates: readonly Gate[]
  /** The first ones; `omitted` says how many more there are. */
  steps: readonly { task: Task; head: OutputHead }[]
  omitted: number
  /** Of the run's console. */
  console: OutputHead
  /** The run may be resumed when it fails. */
  canResume: boolean
  /** The volumes that it has left. */
  kept: KeptVolumes | undefined
  now: number
}

/** A run with its steps and their output; a script keeps it up to date. */
export function renderRunPage(props: RunPageProps): string {
  const { site, run, pipeline, waits, steps, omitted, canResume, kept, now } = props
  const isActive = !isTerminal(run.status)
  const shortId = run.id.slice(0, 8)
  const logPath = `/api/runs/${run.id}/logs`
  const rerunPath = canResume ? `/runs/${run.id}/rerun` : undefined
  return renderPage({
    site,
    title: `${pipeline.name} ${shortId}`,
    crumbs: [
      { text: 'Pipelines', href: '/pipelines/' },
      { text: pipeline.name, href: `/pipelines/${pipeline.id}/` },
      { text: `Run ${shortId}`, href: `/runs/${run.id}/tasks` },
    ],
    scripts: ['run.js'],
    children: (
      <>
        <div class="head">
          <h1>Tasks</h1>
          <StatusPill id="run-status-badge" status={run.status} />
          <span id="run-live-badge" class="live" hidden={!isActive}>
            Live
          </span>
          <div class="btns">
            <form
              id="run-stop-form"
              method="post"
              action={`/runs/${run.id}/stop`}
              hidden={!isActive}
            >
              <button id="run-stop-button" class="btn danger">
                Stop Run
              </button>
            </form>
            {canResume && (
              <form
                id="run-resume-form"
                method="post"
                action={`/runs/${run.id}/resume`}
                hidden={run.status !== 'failed'}
              >
                <button class="btn">Resume Run</button>
              </form>
            )}
            {!run.hasUpload && run.triggerType !== 'seed' && (
              <form
                id="run-retrigger-form"
                method="post"
                action={`/runs/${run.id}/retrigger`}
                hidden={isActive}
              >
                <button class="btn">Run Again</button>
              </form>
            )}
            <a class="btn" href={`/api/runs/${run.id}/status`}>
              Run JSON
            </a>
            <a class="btn" href={logPath}>
              Raw log
            </a>
            <form id="run-share-form" method="post" action={`/runs/${run.id}/share`}>
              <button id="share-run-button" class="btn">
                Share
              </button>
            </form>
          </div>
        </div>
        <ul class="meta" aria-label="About this run">
          <li>
            <code>{run.id}</code>
          </li>
          <li>{`Triggered by: ${triggerOf(run)}`}</li>
          <li>
            <span>Created</span> <Time at={run.createdAt} />
          </li>
          <li>
            <span>Took</span>
            <span id="run-header-elapsed">
              <Elapsed start={run.startedAt} end={run.completedAt} now={now} />
            </span>
          </li>
          {run.restartedAt !== null && (
            <li>
              <span>Restarted</span> <Time at={run.restartedAt} />
              {run.restartedBy !== '' && <span>{` by ${visibleText(run.restartedBy)}`}</span>}
            </li>
          )}
          {kept && !isActive && (
            <li>
              <span>{`Volumes ${visibleText(kept.names?.join(', ') ?? '')} kept until`}</span>{' '}
              <Time at={kept.until} />
            </li>
          )}
          <Args run={run} />
        </ul>
        <p id="run-waiting" class="banner is-queued" hidden={run.status !== 'queued'}>
          {visibleText(waits ? `Waiting: ${describeWait(waits)}` : '')}
        </p>
        <GateList gates={props.gates} isActive={isActive} />
        <section
          id="run-error-alert"
          class="banner is-failed"
          role="status"
          hidden={run.errorMessage === ''}
        >
          <strong>{run.status === 'skipped' ? 'Run skipped' : 'Run failed'}</strong>
          <pre>{visibleText(run.errorMessage)}</pre>
        </section>
        <p id="connection-lost" class="banner is-waiting" role="status" hidden>
          The connection to the server is lost; this page goes on by itself when it is back.
        </p>
        <section
          id="tasks-container"
          class="card steps"
          data-run={run.id}
          data-run-active={String(isActive)}
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
              {...(rerunPath && { rerun: { path: rerunPath, isHidden: isActive } })}
              now={now}
            />
          ))}
        </section>
        {omitted > 0 && (
          <p class="sub">
            {`${omitted} more steps are not shown; `}
            <a href={`/api/runs/${run.id}/tasks?page=2&per_page=200`}>all of them as JSON</a>.
          </p>
        )}
        <template id="step-template">
          <Step
            logPath={logPath}
            step={-1}
            name=""
            head={EMPTY}
            now={now}
            {...(rerunPath && { rerun: { path: rerunPath, isHidden: true } })}
          />
        </template>
      </>
    ),
  })
}

const EMPTY: OutputHead = { text: '', size: 0, isWhole: true }
const FAILED = new Set(['failure', 'error', 'abort'])

interface StepProps {
  /** Where the output of steps is, by `?step=`. */
  logPath: string
  step: number
  name: string
  /** The console has none. */
  task?: Task
  /** How it came to be there, when this run did not execute it. */
  note?: string
  head: OutputHead
  now: number
  /** Where a run is done again from a step. */
  rerun?: { path: string; isHidden: boolean }
}

export function Step({ logPath, step, name, task, note = '', head, now, rerun }: StepProps) {
  // of this generation; the template's may be
  const canRerun = task ? task.effect !== null : step < 0
  const isConsole = step === 0
  const isOpen = task ? FAILED.has(task.status) || task.status === 'running' : isConsole
  return (
    <details
      id={`step-${step}`}
      class="task-item"
      data-step={step}
      data-task-status={task?.status}
      open={isOpen}
      hidden={isConsole && head.size === 0}
    >
      <summary>
        <span class="badge">{!isConsole && <StatusPill status={task?.status ?? 'pending'} />}</span>
        <span class="name">{visibleText(name)}</span>
        {note !== '' && <span class="dim">{note}</span>}
        <span class="exit dim">{task?.code ? `exit ${task.code}` : ''}</span>
        <span class="elapsed">
          {task && <Elapsed start={task.startedAt} end={task.completedAt} now={now} />}
        </span>
      </summary>
      <p class="task-error" hidden={!task?.errorMessage}>
        {visibleText(task?.errorMessage ?? '')}
      </p>
      <p class="hidden-note sub" hidden={head.isWhole}>
        <span class="note">{`Only the beginning is shown; there are ${head.size} bytes.`}</span>{' '}
        <a class="raw" href={`${logPath}?step=${step}`}>
          Whole log
        </a>
      </p>
      {rerun && canRerun && (
        <form class="run-rerun-form" method="post" action={rerun.path} hidden={rerun.isHidden}>
          <button class="btn" name="from" value={step}>
            Re-run from here
          </button>
        </form>
      )}
      <div class="log" tabIndex={0} role="region" aria-label={`Output of ${visibleText(name)}`}>
        {visibleText(head.text)}
      </div>
    </details>
  )
}

export function noteOf(run: Run, task: Task): string {
  if (isKept(task, run.stepBase)) return 'kept'
  if (task.seeded === 1) return 'seeded'
  return task.path.startsWith(`/pipeline/${run.id}/${EARLIER}/`) ? 'earlier' : ''
}

export function Args({ run }: { run: Run }) {
  const { args = [], jobs = [] } = run.triggerInput
  const shown = [...args.map((arg) => JSON.stringify(arg)), ...jobs.map((job) => `job ${job}`)]
  if (shown.length === 0) return null
  return <li>{`Input: ${shown.join(' ').slice(0, 500)}`}</li>
}
