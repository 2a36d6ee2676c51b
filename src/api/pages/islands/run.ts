import { formatTaken, getElement, showToast, tickDurations } from './lib/dom.js'
import { openStepLog, type StepLog } from './lib/step-log.js'

/** A run's page: follows its events and puts them where the server would have rendered them. */

interface RunNews {
  type: 'run'
  status: string
  error_message?: string
  waiting_reason?: string
  started_at?: string
  completed_at?: string
}
interface TaskNews {
  type: 'task'
  step: number
  name: string
  status: string
  code?: number
  started_at?: string
  completed_at?: string
  error_message?: string
}
type News =
  | RunNews
  | TaskNews
  | { type: 'skipped'; step: number; bytes: number }
  | { type: 'output'; step: number; stream: string; text: string }
  | { type: 'deleted' }

/** Longer than a reconnect takes: a banner that only flashes up helps nobody. */
const LOST_AFTER_MS = 5_000
const ENDED = new Set(['success', 'failed', 'skipped'])
const OPENED_BY = new Set(['running', 'failure', 'error', 'abort'])
const LOOKS: Readonly<Record<string, [tone: string, word: string]>> = {
  queued: ['queued', 'Queued'],
  pending: ['queued', 'Pending'],
  running: ['running', 'Running'],
  success: ['success', 'Success'],
  failed: ['failed', 'Failed'],
  failure: ['failed', 'Failure'],
  error: ['failed', 'Error'],
  abort: ['skipped', 'Timed out'],
  aborted: ['skipped', 'Aborted'],
  skipped: ['skipped', 'Skipped'],
}
/** The outlines of status.tsx, by tone. */
const ICONS: Readonly<Record<string, string>> = {
  queued: 'M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8M8 4.6V8l2.3 1.6',
  running: 'M8 2a6 6 0 0 1 6 6',
  success: 'm2.8 8.4 3.4 3.6 7-8',
  failed: 'm3.5 3.5 9 9m0-9-9 9',
  skipped: 'm2.5 4 4 4-4 4m5-8 4 4-4 4M14 4v8',
}

const container = getElement('#tasks-container')
const runId = container.dataset['run'] ?? ''
const logs = new Map<number, StepLog>()
let isFlushDue = false

follow()
tickDurations()
openLinkedStep()
addEventListener('hashchange', openLinkedStep)
getElement('#run-stop-form').addEventListener('submit', (event) => {
  event.preventDefault()
  void stopRun()
})
getElement('#run-share-form').addEventListener('submit', (event) => {
  event.preventDefault()
  void shareRun()
})

function follow(): void {
  const events = new EventSource(`/api/runs/${encodeURIComponent(runId)}/events`)
  const lost = getElement('#connection-lost')
  let lostTimer = 0
  events.addEventListener('open', () => {
    clearTimeout(lostTimer)
    lost.hidden = true
  })
  events.addEventListener('error', () => {
    clearTimeout(lostTimer)
    lostTimer = setTimeout(() => (lost.hidden = false), LOST_AFTER_MS)
  })
  // our own server's words, typed as routes/run-events.ts writes them
  events.addEventListener('message', ({ data }: MessageEvent<string>) =>
    show(JSON.parse(data) as News),
  )
  events.addEventListener('end', ({ data }: MessageEvent<string>) => {
    events.close()
    clearTimeout(lostTimer)
    lost.hidden = true
    show(JSON.parse(data) as News)
    for (const log of logs.values()) log.end()
    scheduleFlush()
  })
}

function show(news: News): void {
  switch (news.type) {
    case 'run':
      return showRun(news)
    case 'task':
      return showTask(news)
    case 'skipped':
      return logOf(news.step).skip(news.bytes)
    case 'output':
      logOf(news.step).append(news.stream, news.text)
      return scheduleFlush()
    case 'deleted':
      showToast('This run was deleted', 'error')
  }
}

function showRun({
  status,
  error_message: error = '',
  waiting_reason: reason,
  ...times
}: RunNews): void {
  const isActive = !ENDED.has(status)
  showStatus(getElement('#run-status-badge'), status)
  getElement('#run-live-badge').hidden = !isActive
  getElement('#run-stop-form').hidden = !isActive
  showForm('#run-resume-form', status === 'failed')
  showForm('#run-retrigger-form', !isActive)
  for (const form of document.querySelectorAll<HTMLElement>('.run-rerun-form'))
    form.hidden = isActive
  const waiting = getElement('#run-waiting')
  waiting.hidden = status !== 'queued'
  if (reason !== undefined) waiting.textContent = `Waiting: ${reason}`
  container.dataset['runActive'] = String(isActive)
  void refreshGates()
  showElapsed(getElement('#run-header-elapsed'), times)
  const alert = getElement('#run-error-alert')
  alert.hidden = error === ''
  getElement('strong', alert).textContent = status === 'skipped' ? 'Run skipped' : 'Run failed'
  getElement('pre', alert).textContent = error
  document.title = `${LOOKS[status]?.[1] ?? status}: ${document.title.replace(/^\w+: /, '')}`
}

/** Gates come and go with what the run waits for; not while somebody writes a comment. */
async function refreshGates(): Promise<void> {
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!response.ok) return
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    const shown = getElement('#run-gates')
    const fresh = page.getElementById('run-gates')
    const hasDraft = [...shown.querySelectorAll('textarea')].some(({ value }) => value !== '')
    if (fresh && !hasDraft && !shown.contains(document.activeElement)) shown.replaceWith(fresh)
  } catch {
    // offline: the banner says so
  }
}

/** Not every page has it. */
function showForm(selector: string, isShown: boolean): void {
  const form = document.querySelector<HTMLElement>(selector)
  if (form) form.hidden = !isShown
}

function showTask(task: TaskNews): void {
  const step = stepOf(task.step)
  const { status, name, code, error_message: error = '' } = task
  step.dataset['taskStatus'] = status
  getElement('.name', step).textContent = name
  getElement('.exit', step).textContent = code ? `exit ${code}` : ''
  showStatus(getElement('.pill', step), status)
  showElapsed(getElement('.elapsed', step), task)
  const errorLine = getElement('.task-error', step)
  errorLine.hidden = error === ''
  errorLine.textContent = error
  if (OPENED_BY.has(status)) step.open = true
}

function showStatus(pill: HTMLElement, status: string): void {
  const [tone, word] = LOOKS[status] ?? ['skipped', status]
  pill.className = `pill is-${tone}`
  pill.dataset['status'] = status
  getElement('.word', pill).textContent = word
  getElement('path', pill).setAttribute('d', ICONS[tone] ?? '')
}

function showElapsed(
  place: HTMLElement,
  times: { started_at?: string; completed_at?: string },
): void {
  if (times.started_at === undefined) return
  const span = document.createElement('span')
  span.className = 'num'
  const start = Date.parse(times.started_at)
  const end = times.completed_at === undefined ? Date.now() : Date.parse(times.completed_at)
  if (times.completed_at === undefined) span.dataset['since'] = times.started_at
  span.textContent = formatTaken(end - start)
  place.replaceChildren(span)
}

/** The step's part of the page; a step that came later gets a new one. */
function stepOf(step: number): HTMLDetailsElement {
  const existing = document.getElementById(`step-${step}`)
  if (existing instanceof HTMLDetailsElement) return existing
  const template = getElement<HTMLTemplateElement>('#step-template')
  const fresh = getElement('details', template.content).cloneNode(true)
  if (!(fresh instanceof HTMLDetailsElement)) throw new Error('the template has no step')
  fresh.id = `step-${step}`
  fresh.dataset['step'] = String(step)
  getElement<HTMLAnchorElement>('.raw', fresh).href =
    `/api/runs/${encodeURIComponent(runId)}/logs?step=${step}`
  const rerun = fresh.querySelector<HTMLButtonElement>('.run-rerun-form button')
  if (rerun) rerun.value = String(step)
  container.append(fresh)
  return fresh
}

/** The first use replaces what the server rendered: the events bring it again, and more of it. */
function logOf(step: number): StepLog {
  const existing = logs.get(step)
  if (existing) return existing
  const element = stepOf(step)
  element.hidden = false
  const output = getElement('.log', element)
  const note = getElement('.hidden-note', element)
  output.replaceChildren()
  note.hidden = true
  const log = openStepLog(output, (text) => {
    note.hidden = false
    getElement('.note', note).textContent = text
  })
  logs.set(step, log)
  return log
}

/** The page is written once a frame, however fast the output comes. */
function scheduleFlush(): void {
  if (isFlushDue) return
  isFlushDue = true
  requestAnimationFrame(() => {
    isFlushDue = false
    for (const log of logs.values()) log.flush()
  })
}

function openLinkedStep(): void {
  if (!/^#step-\d+$/.test(location.hash)) return
  const step = document.querySelector(location.hash)
  if (!(step instanceof HTMLDetailsElement)) return
  step.open = true
  step.scrollIntoView()
}

async function stopRun(): Promise<void> {
  const button = getElement<HTMLButtonElement>('#run-stop-button')
  button.disabled = true
  try {
    const path = `/api/runs/${encodeURIComponent(runId)}/stop`
    const response = await fetch(path, { method: 'POST' })
    const body = (await response.json()) as { status?: string; error?: string }
    if (response.ok)
      showToast(body.status === 'stopping' ? 'Stopping run...' : 'Run stopped', 'success')
    else showToast(body.error ?? 'An error occurred', 'error')
  } catch {
    showToast('Network error - please check your connection', 'error')
    button.disabled = false
  }
}

/** Where the clipboard cannot be had, the link is shown to be copied by hand. */
async function shareRun(): Promise<void> {
  try {
    const path = `/api/runs/${encodeURIComponent(runId)}/share`
    const response = await fetch(path, { method: 'POST' })
    const body = (await response.json()) as { share_path?: string; error?: string }
    if (!response.ok || body.share_path === undefined)
      return showToast(body.error ?? 'An error occurred', 'error')
    const link = `${location.origin}${body.share_path}${location.hash}`
    try {
      await navigator.clipboard.writeText(link)
      showToast('Share link copied!', 'success')
    } catch {
      showToast(link, 'success', { href: link, text: 'Open' })
    }
  } catch {
    showToast('Network error - please check your connection', 'error')
  }
}
