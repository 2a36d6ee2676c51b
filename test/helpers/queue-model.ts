/**
 * The rules of the queue once more, over plain arrays: slow, obvious, and written without a look at
 * the SQL. Tests compare the two after each step.
 */
export interface ModelPipeline {
  id: string
  mode: '' | 'serial' | 'group' | 'skip-if-running'
  isShared: boolean
  cancelsRunning: boolean
  priority: -1 | 0 | 1
  labels: string[]
  maxInFlight: number
  isPaused: boolean
}

export interface ModelRun {
  id: string
  pipeline: string
  group: string
  priority: number
  labels: string[]
  status: 'queued' | 'running' | 'failed' | 'skipped' | 'success'
  error: string
  holds: boolean
  owner: string
  /** Its lease: open, run out by a death, or given up. */
  lease: 'open' | 'dead' | 'given_up'
  deaths: number
  journal: number
  journalAtClaim: number
  availableAt: number
  supersededBy: string
  isStopping: boolean
  /** It waits at a gate. */
  isSuspended: boolean
  /** In the order in which it came to them. */
  gates: ModelGate[]
}

export interface ModelGate {
  id: string
  status: 'pending' | 'approved' | 'rejected' | 'timed_out'
  /** Infinity: it waits for ever. */
  deadline: number
}

export interface ModelExecutor {
  id: string
  labels: string[]
  capacity: number
  isAlive: boolean
}

export interface Model {
  now: number
  pipelines: ModelPipeline[]
  executors: ModelExecutor[]
  /** In the order of their acceptance. */
  runs: ModelRun[]
}

const LAST_TRY = 2

export function groupOf(pipeline: ModelPipeline, arg: string): string {
  if (pipeline.mode === '') return ''
  if (pipeline.mode !== 'group') return `pipeline:${pipeline.id}`
  return pipeline.isShared ? `shared:${arg}` : `pipeline:${pipeline.id}:${arg}`
}

/** False: it is refused. */
export function admit(model: Model, pipeline: ModelPipeline, arg: string, id: string): boolean {
  if (pipeline.isPaused) return false
  const group = groupOf(pipeline, arg)
  const peers = model.runs.filter((run) => isActive(run) && group !== '' && run.group === group)
  const run: ModelRun = {
    ...{ id, pipeline: pipeline.id, group, priority: pipeline.priority, labels: pipeline.labels },
    ...{
      status: 'queued',
      error: '',
      holds: false,
      owner: '',
      lease: 'open',
      deaths: 0,
      journal: 0,
    },
    ...{ journalAtClaim: 0, availableAt: 0, supersededBy: '', isStopping: false },
    ...{ isSuspended: false, gates: [] },
  }
  model.runs.push(run)
  if (pipeline.mode === 'skip-if-running' && peers[0]) {
    run.status = 'skipped'
    run.error = `skipped: pipeline already running (peer run ${peers[0].id})`
    return true
  }
  if (pipeline.mode === 'group' && pipeline.cancelsRunning)
    for (const peer of peers) supersede(peer, id)
  return true
}

function supersede(peer: ModelRun, by: string): void {
  if (peer.status === 'running') {
    if (!peer.isStopping) peer.supersededBy = by
    peer.isStopping = true
  } else end(peer, peer.holds ? 'failed' : 'skipped', `superseded by run ${by}`)
}

export function end(run: ModelRun, status: ModelRun['status'], error: string): void {
  run.status = status
  run.error = error
  run.holds = false
  run.isSuspended = false
}

/** A run that is under way comes to a gate; it waits there, unless somebody wants it stopped. */
export function waitAtGate(run: ModelRun, gate: ModelGate): void {
  run.gates.push(gate)
  if (run.isStopping) return
  Object.assign(run, { status: 'queued', owner: '', isSuspended: true, availableAt: gate.deadline })
  run.holds &&= run.journal > 0
}

/** Ends those whose time is over, and each wakes its run. */
export function expireGates(run: ModelRun, now: number): void {
  for (const gate of run.gates)
    if (gate.status === 'pending' && gate.deadline <= now) settle(run, gate, 'timed_out')
}

/** What whoever resolves a gate is told. */
export function resolveGate(
  { now }: Model,
  run: ModelRun,
  gate: ModelGate,
  status: 'approved' | 'rejected',
): 'resolved' | 'already' | 'run_ended' {
  if (gate.status === 'pending' && !isActive(run)) return 'run_ended'
  expireGates(run, now)
  if (gate.status !== 'pending') return 'already'
  settle(run, gate, status)
  return 'resolved'
}

function settle(run: ModelRun, gate: ModelGate, status: ModelGate['status']): void {
  gate.status = status
  if (!run.isSuspended) return
  run.isSuspended = false
  run.availableAt = 0
}

export function isActive({ status }: ModelRun): boolean {
  return status === 'queued' || status === 'running'
}

/** What an executor is executing: not what it has given up or died with. */
export function runsOf(model: Model, executor: string): ModelRun[] {
  return model.runs.filter(
    ({ status, owner, lease }) => status === 'running' && owner === executor && lease === 'open',
  )
}

/** The ids that are taken, in their order. */
export function claim(model: Model, executor: ModelExecutor, limit: number): string[] {
  const isIdle = runsOf(model, executor.id).length === 0
  const taken: string[] = []
  for (const run of inOrder(model)) {
    if (taken.length === limit) break
    if (!canGo(model, run) || !fits(run, executor)) continue
    const deaths = deathsOf(run)
    if (deaths === LAST_TRY && !(isIdle && taken.length === 0)) break
    Object.assign(run, { status: 'running', owner: executor.id, lease: 'open', deaths })
    Object.assign(run, { journalAtClaim: run.journal, availableAt: 0, holds: run.group !== '' })
    run.isSuspended = false
    taken.push(run.id)
    if (deaths === LAST_TRY) break
  }
  return taken
}

/** First what was under way, then what holds its group, then by priority; the older one always. */
function inOrder({ runs }: Model): ModelRun[] {
  const rank = (run: ModelRun): number =>
    run.status === 'running' ? 9 : (run.holds ? 5 : 0) + run.priority
  return runs.filter((run) => isActive(run)).toSorted((a, b) => rank(b) - rank(a))
}

function canGo(model: Model, run: ModelRun): boolean {
  if (run.status === 'running') return run.lease !== 'open'
  return run.availableAt <= model.now && !holderFor(model, run) && !isFull(model, run.pipeline)
}

function holderFor({ runs }: Model, run: ModelRun): ModelRun | undefined {
  return runs.find((other) => other !== run && other.holds && other.group === run.group)
}

function isFull(model: Model, id: string): boolean {
  const { maxInFlight = 0 } = model.pipelines.find((pipeline) => pipeline.id === id) ?? {}
  const inFlight = model.runs.filter(
    ({ status, pipeline }) => status === 'running' && pipeline === id,
  )
  return maxInFlight > 0 && inFlight.length >= maxInFlight
}

function fits({ labels }: ModelRun, executor: ModelExecutor): boolean {
  return labels.every((label) => executor.labels.includes(label))
}

function deathsOf(run: ModelRun): number {
  if (run.journal > run.journalAtClaim) return 0
  return run.deaths + (run.status === 'running' && run.lease === 'dead' ? 1 : 0)
}

/** Kind and subject of the reason that a queued run should give. */
export function reasonOf(model: Model, run: ModelRun): string {
  if (run.isSuspended) return 'gate'
  if (run.availableAt > model.now) return 'wait'
  const holder = run.group === '' ? undefined : holderFor(model, run)
  if (holder) return `group ${holder.id}`
  if (isFull(model, run.pipeline)) return 'pipeline_limit'
  const able = model.executors.filter((executor) => executor.isAlive && fits(run, executor))
  if (able.length === 0) return 'executors'
  const free = able.filter(({ id, capacity }) => runsOf(model, id).length < capacity)
  if (free.length === 0) return 'slots'
  return free.every((executor) => isKeptFree(model, executor)) ? 'alone' : 'turn'
}

/** It has, or waits to have, a run that is tried alone. */
function isKeptFree(model: Model, executor: ModelExecutor): boolean {
  const own = runsOf(model, executor.id)
  if (own.some(({ deaths }) => deaths === LAST_TRY)) return true
  const isWaiting = model.runs.some(
    (run) =>
      isActive(run) && canGo(model, run) && fits(run, executor) && deathsOf(run) === LAST_TRY,
  )
  return isWaiting && own.length > 0
}
