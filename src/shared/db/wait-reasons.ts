import { FULL_PIPELINES, isLastTrySql, MAX_DEATHS } from './claim-runs.js'
import type { Db } from './open.js'
import type { Run } from './runs.js'
import { FOREVER } from './suspensions.js'

/**
 * Why a queued run is not running: the first that holds, in this order.
 *
 * wait: it went back to the queue (its driver is unavailable) and is not tried again before a time
 * gate, run: it has begun, and a person has to approve, or a run that it has triggered to end
 * cleanup: it ended before, and what it left behind then is not removed yet
 * group: another run holds its concurrency group
 * pipeline_limit: as many runs of its pipeline are under way as may be
 * executors: none is there, or none with its labels
 * alone: its executors try a run that has brought executors down, with no other beside it
 * slots: all slots of the executors that could take it are taken
 * turn: there is a free slot, and runs that go first; `ahead` 0: it is claimed in a moment
 */
export type WaitReason =
  | { kind: 'wait'; text: string; until: number }
  /** `until`: when it times out. */
  | { kind: 'gate'; text: string; until: number | null }
  | { kind: 'run'; text: string }
  | { kind: 'cleanup' }
  | { kind: 'group'; group: string; holder: string; isQueued: boolean }
  | { kind: 'pipeline_limit'; inFlight: number; limit: number }
  | { kind: 'executors'; labels: string[] }
  | { kind: 'alone'; run: string }
  | { kind: 'slots'; capacity: number; ahead: number }
  | { kind: 'turn'; ahead: number }

/** Runs ahead are counted so far: the number is there to be read. */
export const MAX_AHEAD = 100

export type WaitReasons = ReturnType<typeof createWaitReasons>

/** Reads why runs wait from the rows of the moment. */
export function createWaitReasons(db: Db) {
  const holderOf = db.prepare<[string], { id: string; status: string }>(
    'select id, status from runs where held_group = ?',
  )
  const hasGate = db
    .prepare<[string], number>(
      "select 1 from gates where run_id = ? and status = 'pending' limit 1",
    )
    .pluck()
  const hasCleanup = db
    .prepare<[string], number>('select 1 from run_cleanups where run_id = ?')
    .pluck()
  const inFlightOf = db.prepare<[string], { inFlight: number; maxInFlight: number }>(
    `select max_in_flight as maxInFlight, (
       select count(*) from runs where status = 'running' and pipeline_id = pipelines.id) as inFlight
     from pipelines where id = ?`,
  )
  const slotsFor = db.prepare<[{ labels: string; now: number }], Slots>(
    `with ${FULL_PIPELINES}
     select count(*) as executors, coalesce(sum(capacity), 0) as capacity,
       coalesce(sum(max(0, capacity - used)), 0) as free,
       coalesce(sum(max(0, capacity - used) * (alone is null)), 0) as open, max(alone) as alone
     from (
       select capacity,
         (select count(*) from runs where status = 'running' and executor_id = executors.id
            and lease_expires_at > @now) as used,
         coalesce(
           (select id from runs where status = 'running' and executor_id = executors.id
              and deaths = ${MAX_DEATHS - 1} and lease_expires_at > @now limit 1),
           (select runs.id from runs where ${isLastTrySql('executors.labels')} and exists (
              select 1 from runs other where other.status = 'running' and other.executor_id = executors.id
                and other.lease_expires_at > @now)
            limit 1)) as alone
       from executors where lease_expires_at > @now and not exists (
         select 1 from json_each(@labels)
         where value not in (select value from json_each(executors.labels))))`,
  )
  // those that wait for something of their own are not before anybody
  const ahead = db
    .prepare<[{ id: string; limit: number; now: number }], number>(
      `with this as (select priority, seq from runs where id = @id)
       select count(*) from (
         select 1 from this join runs on runs.status = 'queued' and runs.priority > this.priority
           and coalesce(runs.available_at, 0) <= @now
         union all
         select 1 from this join runs on runs.status = 'queued' and runs.priority = this.priority
           and runs.seq < this.seq and coalesce(runs.available_at, 0) <= @now
         limit @limit)`,
    )
    .pluck()

  return {
    /** Undefined when the run is not queued. */
    find(run: WaitingRun, now: number): WaitReason | undefined {
      if (run.status !== 'queued') return undefined
      return findOwnReason(run, now) ?? findSlotReason(run, now)
    },
  }

  function findOwnReason(run: WaitingRun, now: number): WaitReason | undefined {
    const { availableAt, waitReason, concurrencyGroup: group } = run
    if (run.isSuspended) return findAwaited(run)
    if (availableAt !== null && availableAt > now)
      return { kind: 'wait', text: waitReason, until: availableAt }
    if (hasCleanup.get(run.id) === 1) return { kind: 'cleanup' }
    const holder = group === '' ? undefined : holderOf.get(group)
    if (holder && holder.id !== run.id)
      return { kind: 'group', group, holder: holder.id, isQueued: holder.status === 'queued' }
    const { inFlight = 0, maxInFlight = 0 } = inFlightOf.get(run.pipelineId) ?? {}
    if (maxInFlight > 0 && inFlight >= maxInFlight)
      return { kind: 'pipeline_limit', inFlight, limit: maxInFlight }
    return undefined
  }

  function findAwaited({ id, availableAt, waitReason: text }: WaitingRun): WaitReason {
    if (hasGate.get(id) !== 1) return { kind: 'run', text }
    return { kind: 'gate', text, until: availableAt === FOREVER ? null : availableAt }
  }

  function findSlotReason(run: WaitingRun, now: number): WaitReason {
    const slots = slotsFor.get({ labels: JSON.stringify(run.labels), now })
    if (!slots || slots.executors === 0) return { kind: 'executors', labels: run.labels }
    if (slots.open === 0 && slots.alone !== null && slots.free > 0)
      return { kind: 'alone', run: slots.alone }
    const before = ahead.get({ id: run.id, limit: MAX_AHEAD, now }) ?? 0
    if (slots.free === 0) return { kind: 'slots', capacity: slots.capacity, ahead: before }
    return { kind: 'turn', ahead: before }
  }
}

/** A reason as people read it. */
export function describeWait(reason: WaitReason): string {
  switch (reason.kind) {
    case 'wait':
    case 'gate':
    case 'run':
      return reason.text
    case 'cleanup':
      return 'what it left behind when it ended is removed first'
    case 'group':
      return `run ${reason.holder}${reason.isQueued ? ', which has begun and waits itself,' : ''} holds the concurrency group ${describeGroup(reason.group)}`
    case 'pipeline_limit':
      return `${reason.inFlight} of at most ${reason.limit} runs of this pipeline are under way`
    case 'executors':
      return reason.labels.length === 0
        ? 'no executor is there'
        : `no executor is there with the labels ${reason.labels.join(', ')}`
    case 'alone':
      return `run ${reason.run}, which has brought executors down, is tried with no other beside it`
    case 'slots':
      return `all ${reason.capacity} slots are taken, ${describeAhead(reason.ahead)}`
    case 'turn':
      return reason.ahead === 0 ? 'starts in a moment' : describeAhead(reason.ahead)
  }
}

/** A group for people: the pipeline's own part of its key tells them nothing. */
export function describeGroup(group: string): string {
  return group.replace(/^pipeline:[^:]*:?/, '') || 'of its pipeline'
}

function describeAhead(ahead: number): string {
  if (ahead === 0) return 'this run is next'
  if (ahead >= MAX_AHEAD) return `${MAX_AHEAD} runs or more are ahead in the queue`
  return ahead === 1 ? '1 run is ahead in the queue' : `${ahead} runs are ahead in the queue`
}

type WaitingRun = Pick<
  Run,
  | 'id'
  | 'status'
  | 'pipelineId'
  | 'labels'
  | 'concurrencyGroup'
  | 'availableAt'
  | 'isSuspended'
  | 'waitReason'
>

interface Slots {
  executors: number
  capacity: number
  /** Slots without a run; those of them that are not kept free on purpose. */
  free: number
  open: number
  alone: string | null
}
