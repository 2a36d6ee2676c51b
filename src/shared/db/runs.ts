import {
  triggerInputSchema,
  type TriggerInput,
  type TriggerType,
} from '../contract/trigger-input.js'
import type { RunStatus } from '../contract/statuses.js'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

/**
 * One execution of a pipeline.
 *
 * queued → running (a claim: attempt + 1) → success | failed | skipped
 * queued → failed (stopped before its claim)
 * running → queued (its driver is unavailable before it could go on: `waitReason` says so)
 * running → queued (it waits for others without a thread: see suspensions.ts)
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
  concurrencyGroup: string
  errorCode: string
  errorMessage: string
  stopRequestedAt: number | null
  stopRequestedBy: string
  /** Why a queued run waits for more than its turn; empty otherwise. */
  waitReason: string
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
}

export type RunOutcome =
  { status: 'success' | 'skipped' } | { status: 'failed'; errorCode: string; errorMessage: string }

/** A claim: what fences every write of a running run. */
export interface Claim {
  runId: string
  attempt: number
}

/** Who claims runs, and how many. */
export interface ClaimInput {
  executorId: string
  limit: number
  now: number
  leaseTtlMs: number
  defaultDriver: string
  isIdle: boolean
}

/** A run that has brought down so many executors in a row is failed; the try before that is alone. */
export const MAX_DEATHS = 3

/** Why a run waits, and until when it is not tried again: unix milliseconds. */
export interface Waiting {
  reason: string
  availableAt: number
}

/** Longest error text that is stored with a run. */
const MAX_ERROR_CHARS = 16_384

export type Runs = ReturnType<typeof createRuns>

/** The SQL of table `runs`. Methods that check and then change belong in one transaction of the caller. */
export function createRuns(db: Db) {
  const byId = db.prepare<[string], Row>(`select ${COLUMNS} from runs where id = ?`)
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into runs (id, pipeline_id, status, trigger_type, triggered_by, trigger_input, request_id, created_at)
     values (@id, @pipelineId, 'queued', @triggerType, @triggeredBy, @triggerInput, @requestId, @now)`,
  )
  const countUpTo = (status: 'queued' | 'running') =>
    db
      .prepare<[number], number>(
        `select count(*) from (select 1 from runs where status = '${status}' and suspended = 0 limit ?)`,
      )
      .pluck()
  const queuedUpTo = countUpTo('queued')
  const runningUpTo = countUpTo('running')
  // a lease that expires at 0 was given up in order
  const journalSeq = '(select coalesce(max(seq), 0) from journal where run_id = runs.id)'
  const claimable = db.prepare<[Record<string, unknown>], Claimable>(
    `select id, journalSeq, case when journalSeq > claimed_seq then 0 else deaths + died end as deaths
     from (
       select id, seq, deaths, claimed_seq, lease_expires_at > 0 as died, ${journalSeq} as journalSeq
         from runs where status = 'running' and lease_expires_at <= @now
       union all
       select id, seq, deaths, claimed_seq, 0 as died, ${journalSeq} as journalSeq
         from runs where status = 'queued' and coalesce(available_at, 0) <= @now)
     order by seq limit @limit`,
  )
  const claim = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'running', attempt = attempt + 1, executor_id = @executorId,
       lease_expires_at = @leaseExpiresAt, started_at = coalesce(started_at, @now),
       available_at = null, deaths = @deaths, claimed_seq = @journalSeq,
       program_version = coalesce(program_version,
         (select version from pipelines where id = runs.pipeline_id)),
       driver = coalesce(driver,
         (select iif(driver = '', @defaultDriver, driver) from pipelines where id = runs.pipeline_id))
     where id = @id and (status = 'queued' or (status = 'running' and lease_expires_at <= @now))`,
  )
  const setLease = db.prepare<[Record<string, unknown>]>(
    `update runs set lease_expires_at = @leaseExpiresAt
     where id = @runId and status = 'running' and attempt = @attempt`,
  )
  const owned = db
    .prepare<[string, number], number>(
      "select 1 from runs where id = ? and status = 'running' and attempt = ?",
    )
    .pluck()
  const finish = db.prepare<[Record<string, unknown>]>(
    `update runs set status = @status, error_code = @errorCode, error_message = @errorMessage,
       completed_at = @now, executor_id = null, lease_expires_at = null
     where id = @runId and status = 'running' and attempt = @attempt`,
  )
  const release = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'queued', executor_id = null, lease_expires_at = null,
       started_at = iif(${journalSeq} = 0, null, started_at),
       program_version = iif(${journalSeq} = 0, null, program_version),
       driver = iif(${journalSeq} = 0, null, driver),
       available_at = @availableAt, wait_reason = @reason
     where id = @runId and status = 'running' and attempt = @attempt and stop_requested_at is null`,
  )
  const failQueued = db.prepare<[Record<string, unknown>]>(
    `update runs set status = 'failed', error_code = @errorCode, error_message = @errorMessage,
       completed_at = @now, stop_requested_at = @now, stop_requested_by = @by
     where id = @runId and status = 'queued'`,
  )
  const requestStop = db.prepare<[Record<string, unknown>]>(
    `update runs set stop_requested_at = @now, stop_requested_by = @by
     where id = @runId and status = 'running' and stop_requested_at is null`,
  )
  const stopped = db.prepare<[string], { id: string; attempt: number; by: string }>(
    `select id, attempt, stop_requested_by as by from runs
     where status = 'running' and executor_id = ? and stop_requested_at is not null`,
  )
  const expire = db.prepare<[Record<string, unknown>]>(
    `update runs set lease_expires_at = @now
     where status = 'running' and executor_id = @executorId and lease_expires_at > @now`,
  )
  const hasClaimable = db
    .prepare<[{ now: number }], number>(
      `select exists (select 1 from runs where status = 'queued' and coalesce(available_at, 0) <= @now)
         or exists (select 1 from runs where status = 'running' and lease_expires_at <= @now)`,
    )
    .pluck()
  const activeOf = db.prepare<[string], { id: string }>(
    "select id from runs where pipeline_id = ? and status in ('queued', 'running') order by seq limit 1000",
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

    insert(run: NewRun, now: number): Run {
      insert.run({ ...run, triggerInput: JSON.stringify(run.triggerInput), now })
      return fromRow(byId.get(run.id))
    },

    /** How many are queued (running), counted no further than `limit`: admission needs no more. */
    countQueued: (limit: number): number => queuedUpTo.get(limit) ?? 0,
    countRunning: (limit: number): number => runningUpTo.get(limit) ?? 0,

    /** A cheap look before a claim takes the write lock. */
    hasClaimable: (now: number): boolean => hasClaimable.get({ now }) === 1,

    /**
     * Takes up to `limit` runs, oldest first: queued ones and those whose lease has run out. A run at
     * its last try is taken alone, by an executor that has no other; until then that takes no younger.
     */
    claim({ limit, now, leaseTtlMs, isIdle, ...input }: ClaimInput): Run[] {
      const claimed: Run[] = []
      for (const { id, deaths, journalSeq } of claimable.all({ now, limit })) {
        const isAlone = deaths === MAX_DEATHS - 1
        if (isAlone && !(isIdle && claimed.length === 0)) break
        claim.run({ ...input, id, deaths, journalSeq, now, leaseExpiresAt: now + leaseTtlMs })
        claimed.push(fromRow(byId.get(id)))
        if (isAlone) break
      }
      return claimed
    },

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
    release: (claim: Claim, { reason, availableAt }: Waiting): boolean =>
      release.run({ ...claim, reason: reason.slice(0, MAX_ERROR_CHARS), availableAt }).changes ===
      1,

    /** Ends a run that nobody has claimed. False when it is no longer queued. */
    failQueued: (
      runId: string,
      by: string,
      error: { code: string; message: string },
      now: number,
    ) =>
      failQueued.run({ runId, by, errorCode: error.code, errorMessage: error.message, now })
        .changes === 1,

    /** Asks the owner of a running run to stop it. False when it is not running or was asked already. */
    requestStop: (runId: string, by: string, now: number): boolean =>
      requestStop.run({ runId, by, now }).changes === 1,

    /** The running runs of an executor that somebody wants stopped. */
    findStopRequests: (executorId: string) => stopped.all(executorId),

    /** Makes the runs of a dead executor claimable at once. */
    expireLeases: (executorId: string, now: number): number =>
      expire.run({ executorId, now }).changes,

    /** At most 1,000 runs of a pipeline that have not ended. */
    findActive: (pipelineId: string): string[] => activeOf.all(pipelineId).map(({ id }) => id),

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

interface Claimable {
  id: string
  deaths: number
  journalSeq: number
}

const COLUMNS = `id, pipeline_id as pipelineId, status, attempt, executor_id as executorId,
  deaths, coalesce(program_version, 0) as programVersion, coalesce(driver, '') as driver,
  trigger_type as triggerType, triggered_by as triggeredBy, trigger_input as triggerInput,
  request_id as requestId, concurrency_group as concurrencyGroup, error_code as errorCode,
  error_message as errorMessage, stop_requested_at as stopRequestedAt,
  stop_requested_by as stopRequestedBy, wait_reason as waitReason, created_at as createdAt, started_at as startedAt,
  completed_at as completedAt`

type Row = Omit<Run, 'triggerInput'> & { triggerInput: string }

function fromOptionalRow(row: Row | undefined): Run | undefined {
  return row && fromRow(row)
}

function fromRow(row: Row | undefined): Run {
  if (!row) throw new Error('a run is not there in the transaction that wrote it')
  return { ...row, triggerInput: triggerInputSchema.parse(JSON.parse(row.triggerInput)) }
}

function outcomeColumns(outcome: RunOutcome) {
  if (outcome.status !== 'failed')
    return { status: outcome.status, errorCode: '', errorMessage: '' }
  return { ...outcome, errorMessage: outcome.errorMessage.slice(0, MAX_ERROR_CHARS) }
}
