import {
  triggerInputSchema,
  type TriggerInput,
  type TriggerType,
} from '../contract/trigger-input.js'
import {
  fromLevel,
  fromStoredLabels,
  toLevel,
  toStoredLabels,
  type Priority,
} from '../contract/queue-rules.js'
import type { RunStatus } from '../contract/statuses.js'
import { createClaims, JOURNAL_SEQ, type ClaimInput } from './claim-runs.js'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

/**
 * One execution of a pipeline.
 *
 * queued → running (a claim: attempt + 1) → success | failed | skipped
 * queued → failed (stopped before its claim)
 * queued → skipped (a newer run of its group has superseded it before its claim)
 * accepted as skipped or failed (the concurrency rule of its pipeline ended it)
 * recorded as success (a seed: nothing is executed)
 * running → queued (its driver is unavailable before it could go on: `waitReason` says so)
 * running → queued (it waits for others without a thread: see suspensions.ts)
 * failed → queued (resumed), success | failed | skipped → queued (run again): the next generation
 * running → running (the lease ran out or was given up and an executor claims it: attempt + 1)
 *
 * Every change names the state it expects; a change of a running run names its attempt too, so an
 * executor that lost its lease changes nothing.
 */
export interface Run {
  id: string
  pipelineId: string
  status: RunStatus
  attempt: number
  /** From 1: how often its program was started anew, by a resume or a re-run. */
  generation: number
  /** When it was last resumed or run again, and who did that; empty: nobody who had signed in. */
  restartedAt: number | null
  restartedBy: string
  /** Number of the last step of earlier generations. */
  stepBase: number
  /** It was given a working directory, which is gone when it has ended. */
  hasUpload: boolean
  executorId: string | null
  /** How many executors in a row have died with it while its journal did not grow. */
  deaths: number
  /** Of the first claim: the version of the pipeline's program, and the driver. */
  programVersion: number
  driver: string
  triggerType: TriggerType
  triggeredBy: string
  triggerInput: TriggerInput
  requestId: string
  priority: Priority
  /** What its executor has to have, sorted. */
  labels: string[]
  /** Runs of one group run one after the other; empty: it has none. */
  concurrencyGroup: string
  errorCode: string
  errorMessage: string
  stopRequestedAt: number | null
  stopRequestedBy: string
  /** What it said when it went back to the queue; empty or outdated otherwise: see wait-reasons.ts. */
  waitReason: string
  /** Until when it is not claimed. */
  availableAt: number | null
  /** It is queued, and waits for a gate or for another run: see suspensions.ts. */
  isSuspended: boolean
  /** When it has run for as long as its pipeline allows. */
  deadlineAt: number | null
  createdAt: number
  startedAt: number | null
  completedAt: number | null
}

export interface NewRun {
  id: string
  pipelineId: string
  triggerType: TriggerType
  triggeredBy: string
  triggerInput: TriggerInput
  requestId: string
  hasUpload?: boolean
  priority?: Priority
  labels?: readonly string[]
  concurrencyGroup?: string
}

/** Ends a run in the moment of its acceptance. */
export interface EarlyEnd {
  status: 'success' | 'skipped' | 'failed'
  errorCode: string
  errorMessage: string
}

/** Why a run is stopped when no person asked: what then stands as its error. */
export interface StopCause {
  code: 'superseded' | 'run_timed_out'
  message: string
}

export type RunOutcome =
  { status: 'success' | 'skipped' } | { status: 'failed'; errorCode: string; errorMessage: string }

/** A claim: what fences every write of a running run. */
export interface Claim {
  runId: string
  attempt: number
}

/** Why a run waits, and until when it is not tried again: unix milliseconds. */
export interface Waiting {
  reason: string
  availableAt: number
}

export interface Restart {
  /** Number of the last step so far. */
  stepBase: number
  /** Who asked, for the record. */
  by: string
  now: number
}

/** Longest error text that is stored with a run. */
const MAX_ERROR_CHARS = 16_384

export type Runs = ReturnType<typeof createRuns>

/** The SQL of table `runs`. Methods that check and then change belong in one transaction of the caller. */
export function createRuns(db: Db) {
  const claims = createClaims(db)
  const byId = db.prepare<[string], Row>(`select ${COLUMNS} from runs where id = ?`)
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into runs (id, pipeline_id, status, trigger_type, triggered_by, trigger_input, request_id,
       has_upload, priority, labels, concurrency_group, error_code, error_message, created_at, completed_at)
     values (@id, @pipelineId, @status, @triggerType, @triggeredBy, @triggerInput, @requestId,
       @hasUpload, @priority, @labels, @concurrencyGroup, @errorCode, @errorMessage, @now,
       iif(@status = 'queued', null, @now))`,
  )
  const countUpTo = (status: 'queued' | 'running') =>
    db
      .prepare<[number], number>(
        `select count(*) from (select 1 from runs where status = '${status}' and suspended = 0 limit ?)`,
      )
      .pluck()
  const queuedUpTo = countUpTo('queued')
  const runningUpTo = countUpTo('running')
  const suspended = db
    .prepare<[], number>("select count(*) from runs where status = 'queued' and suspended = 1")
    .pluck()
  const setLease = db.prepare<[Record<string, unknown>]>(
    `update runs set lease_expires_at = @leaseExpiresAt
     where id = @runId and status = 'running' and attempt = @attempt`,
  )
  const owned = db
    .prepare<[string, number], number>(
      "select 1 from runs where id = ? and status = 'running' and attempt = ?",
    )
    .pluck()
  // the error of a stop is that of whoever asked for it
  const finish = db.prepare<[Record<string, unknown>]>(
    `update runs set status = @status,
       error_code = iif(@errorCode = 'stopped' and stop_code <> '', stop_code, @errorCode),
       error_message = iif(@errorCode = 'stopped' and stop_code <> '', stop_message, @errorMessage),
       completed_at = @now, executor_id = null, lease_expires_at = null
     where id = @runId and status = 'running' and attempt = @attempt`,
  )
  const release = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'queued', executor_id = null, lease_expires_at = null,
       started_at = iif(${JOURNAL_SEQ} = 0, null, started_at),
       program_version = iif(${JOURNAL_SEQ} = 0, null, program_version),
       driver = iif(${JOURNAL_SEQ} = 0 and not ${HAS_KEPT_VOLUMES}, null, driver),
       held_group = iif(${JOURNAL_SEQ} = 0, null, held_group),
       remaining_ms = iif(${JOURNAL_SEQ} = 0, null, deadline_at - @now), deadline_at = null,
       available_at = @availableAt, wait_reason = @reason
     where id = @runId and status = 'running' and attempt = @attempt and stop_requested_at is null`,
  )
  const failQueued = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'failed', error_code = @errorCode, error_message = @errorMessage,
       completed_at = @now, stop_requested_at = @now, stop_requested_by = @by
     where id = @runId and status = 'queued'`,
  )
  const skipQueued = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'skipped', error_code = @code, error_message = @message,
       completed_at = @now
     where id = @runId and status = 'queued' and held_group is null`,
  )
  // its group is free since its end: it waits for it like all others
  const restart = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'queued', generation = generation + 1, step_base = @stepBase,
       restarted_at = @now, restarted_by = @by,
       error_code = '', error_message = '', stop_requested_at = null, stop_requested_by = '',
       stop_code = '', stop_message = '',
       started_at = null, completed_at = null, available_at = null, wait_reason = '',
       deaths = 0, claimed_seq = 0, program_version = null,
       driver = iif(${HAS_KEPT_VOLUMES}, driver, null)
     where id = @runId and status in ('success', 'failed', 'skipped')`,
  )
  const requestStop = db.prepare<[Record<string, unknown>]>(
    `update runs set stop_requested_at = @now, stop_requested_by = @by,
       stop_code = @code, stop_message = @message
     where id = @runId and status = 'running' and stop_requested_at is null`,
  )
  const ofGroup = `select id, status from runs
     where concurrency_group = ? and concurrency_group <> '' and status in ('queued', 'running')
     order by seq`
  const activeInGroup = db.prepare<[string], { id: string; status: RunStatus }>(ofGroup)
  const oldestInGroup = db.prepare<[string], { id: string }>(`${ofGroup} limit 1`)
  const stopped = db.prepare<[string], { id: string; attempt: number; by: string }>(
    `select id, attempt, stop_requested_by as by from runs
     where status = 'running' and executor_id = ? and stop_requested_at is not null`,
  )
  const expire = db.prepare<[Record<string, unknown>]>(
    `update runs set lease_expires_at = @now
     where status = 'running' and executor_id = @executorId and lease_expires_at > @now`,
  )
  const activeOf = db.prepare<[{ pipelineId: string }], { id: string }>(
    `select id from (
       select id, seq from runs where pipeline_id = @pipelineId and status = 'queued'
       union all
       select id, seq from runs where pipeline_id = @pipelineId and status = 'running')
     order by seq limit 1000`,
  )
  const running = db.prepare<[number], Row>(
    `select ${COLUMNS} from runs where status = 'running' order by seq limit ?`,
  )
  const queued = db.prepare<[number], Row>(
    `select ${COLUMNS} from runs where status = 'queued' order by priority desc, seq limit ?`,
  )
  const list = db.prepare<[Record<string, unknown>], Row>(
    `select ${COLUMNS} from runs order by seq desc limit @limit offset @offset`,
  )
  const listOf = db.prepare<[Record<string, unknown>], Row>(
    `select ${COLUMNS} from runs where pipeline_id = @pipelineId order by seq desc limit @limit offset @offset`,
  )
  const count = db.prepare<[], number>('select count(*) from runs').pluck()
  const countOf = db
    .prepare<[string], number>('select count(*) from runs where pipeline_id = ?')
    .pluck()
  const latestOf = db.prepare<[string], Row>(
    `select ${COLUMNS} from runs where pipeline_id = ? order by seq desc limit 1`,
  )

  return {
    find: (id: string): Run | undefined => fromOptionalRow(byId.get(id)),

    /** Queues a run; with an `end` it is only recorded. */
    insert(run: NewRun, now: number, end?: EarlyEnd): Run {
      const { priority = 'normal', labels = [], concurrencyGroup = '', triggerInput } = run
      insert.run({
        ...{
          status: 'queued',
          errorCode: '',
          errorMessage: '',
          ...run,
          ...end,
          concurrencyGroup,
          now,
        },
        triggerInput: JSON.stringify(triggerInput),
        hasUpload: Number(run.hasUpload ?? false),
        priority: toLevel(priority),
        labels: toStoredLabels(labels),
      })
      return fromRow(byId.get(run.id))
    },

    /** How many are queued (running), counted no further than `limit`: admission needs no more. */
    countQueued: (limit: number): number => queuedUpTo.get(limit) ?? 0,
    countRunning: (limit: number): number => runningUpTo.get(limit) ?? 0,

    /** Runs that wait for a gate or for another run, and have no place in the queue. */
    countSuspended: (): number => suspended.get() ?? 0,

    /** A look before a claim takes the write lock. */
    hasClaimable: claims.hasClaimable,

    /** Takes up to `limit` runs: see claim-runs.ts. */
    claim: (input: ClaimInput): Run[] => claims.claim(input).map((id) => fromRow(byId.get(id))),

    /** False: the claim is no longer ours. */
    renew: (claim: Claim, leaseExpiresAt: number): boolean =>
      setLease.run({ ...claim, leaseExpiresAt }).changes === 1,

    /** Gives a claim up: the run can be claimed at once, and nobody has died. */
    handOver: (claim: Claim): void => void setLease.run({ ...claim, leaseExpiresAt: 0 }),

    /** Takes a claim away from whoever was executing it and has died. */
    expire: (claim: Claim, now: number): void =>
      void setLease.run({ ...claim, leaseExpiresAt: now }),

    isOwned: ({ runId, attempt }: Claim): boolean => owned.get(runId, attempt) === 1,

    /** False: the claim is no longer ours, and nothing was written. */
    finish: (claim: Claim, outcome: RunOutcome, now: number): boolean =>
      finish.run({ ...claim, ...outcomeColumns(outcome), now }).changes === 1,

    /**
     * Puts a run back into the queue, not to be claimed before a time. One that has begun goes on then.
     * False: the claim is no longer ours, or somebody wants the run stopped.
     */
    release: (claim: Claim, { reason, availableAt }: Waiting, now: number): boolean =>
      release.run({ ...claim, reason: reason.slice(0, MAX_ERROR_CHARS), availableAt, now })
        .changes === 1,

    /** Ends a run that nobody has claimed. False when it is no longer queued. */
    failQueued: (
      runId: string,
      by: string,
      error: { code: string; message: string },
      now: number,
    ) =>
      failQueued.run({ runId, by, errorCode: error.code, errorMessage: error.message, now })
        .changes === 1,

    /** Ends a run that was never claimed, or has nothing behind it. False when that is not so. */
    skipQueued: (runId: string, cause: StopCause, now: number): boolean =>
      skipQueued.run({ runId, ...cause, now }).changes === 1,

    /**
     * Puts a run that has ended into the queue as its next generation, with the pipeline's program and
     * driver of then; one with kept volumes stays with the driver that has them. Part of the transaction that puts its tasks and its journal aside.
     */
    restart: (runId: string, { stepBase, by, now }: Restart): boolean =>
      restart.run({ runId, stepBase, by, now }).changes === 1,

    /** Asks the owner of a running run to stop it. False when it is not running or was asked already. */
    requestStop: (runId: string, by: string, now: number, cause?: StopCause): boolean =>
      requestStop.run({ runId, by, now, code: '', message: '', ...cause }).changes === 1,

    /** Those of a concurrency group that have not ended, the oldest one or all, oldest first. */
    findOldestInGroup: (group: string): string | undefined => oldestInGroup.get(group)?.id,
    findActiveInGroup: (group: string) => activeInGroup.all(group),

    /** The running runs of an executor that somebody wants stopped. */
    findStopRequests: (executorId: string) => stopped.all(executorId),

    /** Makes the runs of a dead executor claimable at once. */
    expireLeases: (executorId: string, now: number): number =>
      expire.run({ executorId, now }).changes,

    /** At most 1,000 runs of a pipeline that have not ended. */
    findActive: (pipelineId: string): string[] => activeOf.all({ pipelineId }).map(({ id }) => id),

    /** The oldest of those that run; the queue in its order. */
    listRunning: (limit: number): Run[] => running.all(limit).map((row) => fromRow(row)),
    listQueued: (limit: number): Run[] => queued.all(limit).map((row) => fromRow(row)),

    findLatest: (pipelineId: string): Run | undefined => fromOptionalRow(latestOf.get(pipelineId)),

    /** Newest first; of one pipeline or of all. */
    list({ page, perPage }: Page, pipelineId?: string): PageOf<Run> {
      const window = { limit: perPage, offset: (page - 1) * perPage }
      const rows =
        pipelineId === undefined ? list.all(window) : listOf.all({ ...window, pipelineId })
      const totalItems = pipelineId === undefined ? count.get() : countOf.get(pipelineId)
      return { items: rows.map((row) => fromRow(row)), totalItems: totalItems ?? 0 }
    },
  }
}

/** Whether a row of `runs` goes on with the volumes that it has. */
const HAS_KEPT_VOLUMES = 'exists (select 1 from kept_volumes where run_id = runs.id)'

const COLUMNS = `id, pipeline_id as pipelineId, status, attempt, generation,
  restarted_at as restartedAt, restarted_by as restartedBy,
  step_base as stepBase, has_upload as hasUpload, executor_id as executorId,
  deaths, coalesce(program_version, 0) as programVersion, coalesce(driver, '') as driver,
  trigger_type as triggerType, triggered_by as triggeredBy, trigger_input as triggerInput,
  request_id as requestId, priority, labels, concurrency_group as concurrencyGroup, error_code as errorCode,
  error_message as errorMessage, stop_requested_at as stopRequestedAt,
  stop_requested_by as stopRequestedBy, wait_reason as waitReason,
  available_at as availableAt, suspended as isSuspended, deadline_at as deadlineAt, created_at as createdAt, started_at as startedAt,
  completed_at as completedAt`

type Row = Omit<Run, 'triggerInput' | 'hasUpload' | 'isSuspended' | 'priority' | 'labels'> & {
  triggerInput: string
  hasUpload: number
  isSuspended: number
  priority: number
  labels: string
}

function fromOptionalRow(row: Row | undefined): Run | undefined {
  return row && fromRow(row)
}

function fromRow(row: Row | undefined): Run {
  if (!row) throw new Error('a run is not there in the transaction that wrote it')
  return {
    ...row,
    hasUpload: row.hasUpload === 1,
    isSuspended: row.isSuspended === 1,
    triggerInput: triggerInputSchema.parse(JSON.parse(row.triggerInput)),
    priority: fromLevel(row.priority),
    labels: fromStoredLabels(row.labels),
  }
}

function outcomeColumns(outcome: RunOutcome) {
  if (outcome.status !== 'failed')
    return { status: outcome.status, errorCode: '', errorMessage: '' }
  return { ...outcome, errorMessage: outcome.errorMessage.slice(0, MAX_ERROR_CHARS) }
}
