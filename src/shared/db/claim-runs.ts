import type { Db } from './open.js'

/** Who claims runs, and how many. */
export interface ClaimInput {
  executorId: string
  /** What the executor has: it takes no run that requires another label. */
  labels: readonly string[]
  limit: number
  now: number
  leaseTtlMs: number
  defaultDriver: string
  isIdle: boolean
}

/** A run that has brought down so many executors in a row is failed; the try before that is alone. */
export const MAX_DEATHS = 3

/** How far the journal of a row of `runs` goes. */
export const JOURNAL_SEQ =
  '(select coalesce(max(seq), 0) from journal where journal.run_id = runs.id)'

/**
 * How far into the queue a claim looks before it asks for the head of each kind of run instead: the
 * first is enough for a queue that nothing holds up, and cheap; the second for most others.
 */
const WINDOWS = [16, 512] as const

/** A common table of pipelines that have as many runs under way as they may. */
export const FULL_PIPELINES = `full_pipelines as materialized (
    select id from pipelines where max_in_flight > 0 and max_in_flight <= (
      select count(*) from runs where status = 'running' and pipeline_id = pipelines.id))`

/** Whether a row of `runs` finds all its labels in an expression of them as JSON. */
function hasLabelsSql(labels: string): string {
  return `(runs.labels = '[]' or not exists (
      select 1 from json_each(runs.labels) where value not in (select value from json_each(${labels}))))`
}

/** Whether nothing of an earlier generation of a row of `runs` is left: its names may be used again. */
const IS_CLEAN = 'not exists (select 1 from run_cleanups where run_cleanups.run_id = runs.id)'

/** Whether a queued row of `runs` can go; one that holds its group waits for nobody. */
export function isFreeSql(labels: string): string {
  return `(coalesce(runs.available_at, 0) <= @now and ${IS_CLEAN}
    and (runs.held_group is not null or runs.concurrency_group = '' or not exists (
      select 1 from runs holder where holder.held_group = runs.concurrency_group))
    and runs.pipeline_id not in full_pipelines and ${hasLabelsSql(labels)})`
}

/**
 * Whether a row of `runs` would be taken for its last try, by an executor with these labels that has
 * no other run.
 */
export function isLastTrySql(labels: string): string {
  return `(runs.deaths > 0 and runs.status in ('queued', 'running')
    and runs.claimed_seq >= ${JOURNAL_SEQ}
    and ((runs.status = 'queued' and runs.deaths = ${MAX_DEATHS - 1} and ${isFreeSql(labels)})
      or (runs.status = 'running' and runs.lease_expires_at <= @now and ${hasLabelsSql(labels)}
        and runs.deaths + (runs.lease_expires_at > 0) = ${MAX_DEATHS - 1})))`
}

/**
 * Which runs an executor may take, in their order: those whose lease has run out, then the queue by
 * priority and age, without those whose group somebody holds, whose pipeline has as many under way
 * as it may, that need a label it has not, that wait for a time, or of which something of an earlier
 * generation is left. A run that cannot go holds up
 * nobody behind it. All of that is read from the rows of the moment; nothing is counted along.
 */
export function createClaims(db: Db, windows: readonly number[] = WINDOWS) {
  const hasLabels = hasLabelsSql('@labels')
  const isFree = isFreeSql('@labels')
  const begun = db.prepare<[Scan], Row>(
    `with ${FULL_PIPELINES}
     select id, 1 as isFree from (
       select seq, 2 as priority, id from runs
         where status = 'running' and lease_expires_at <= @now and ${hasLabels}
       union all
       select seq, priority, id from runs
         where held_group is not null and status = 'queued' and ${isFree})
     order by priority desc, seq`,
  )
  const front = db.prepare<[Scan & { window: number }], Row>(
    `with ${FULL_PIPELINES}
     select id, ${isFree} as isFree from (
       select * from runs where status = 'queued' order by priority desc, seq limit @window) as runs
     order by priority desc, seq`,
  )
  const firstOf = `select seq from runs where status = 'queued' and pipeline_id = kind.pipeline_id
    and labels = kind.labels and concurrency_group = kind.concurrency_group
    and coalesce(available_at, 0) <= @now and held_group is null and ${IS_CLEAN}
    order by priority desc, seq`
  const nextOf = "select next.seq from runs next where next.status = 'queued'"
  // walks from one kind to the next, so its price is the number of kinds and not that of runs
  const heads = db.prepare<[Scan & { limit: number }], Row>(
    `with recursive ${FULL_PIPELINES},
     kinds (seq) as (
       select (select seq from runs where status = 'queued'
         order by pipeline_id, labels, concurrency_group limit 1)
       union all
       select coalesce(
         (${nextOf} and next.pipeline_id = kind.pipeline_id and next.labels = kind.labels
             and next.concurrency_group > kind.concurrency_group
           order by next.concurrency_group limit 1),
         (${nextOf} and next.pipeline_id = kind.pipeline_id and next.labels > kind.labels
           order by next.labels, next.concurrency_group limit 1),
         (${nextOf} and next.pipeline_id > kind.pipeline_id
           order by next.pipeline_id, next.labels, next.concurrency_group limit 1))
       from kinds join runs kind on kind.seq = kinds.seq)
     select id, 1 as isFree from runs where seq in (
       select first.seq from kinds join runs kind on kind.seq = kinds.seq
         join runs first on first.seq = (${firstOf} limit 1)
       union
       select first.seq from kinds join runs kind on kind.seq = kinds.seq and kind.concurrency_group = ''
         join runs first on first.seq in (${firstOf} limit @limit))
       and ${isFree}
     order by priority desc, seq limit @limit`,
  )
  // a lease that expires at 0 was given up in order
  const toll = db.prepare<[{ id: string; now: number }], Toll>(
    `select journalSeq, case when journalSeq > claimed_seq then 0 else deaths + died end as deaths
     from (
       select deaths, claimed_seq, status = 'running' and lease_expires_at > 0 as died,
         ${JOURNAL_SEQ} as journalSeq
       from runs where id = @id)`,
  )
  const take = db.prepare<[Record<string, unknown>]>(
    `with ${FULL_PIPELINES}
     update runs set status = 'running', attempt = attempt + 1, executor_id = @executorId,
       lease_expires_at = @leaseExpiresAt, started_at = coalesce(started_at, @now),
       available_at = null, deaths = @deaths, claimed_seq = @journalSeq,
       held_group = nullif(concurrency_group, ''),
       deadline_at = coalesce(deadline_at, @now + coalesce(remaining_ms,
         (select nullif(run_timeout_ms, 0) from pipelines where id = runs.pipeline_id))),
       remaining_ms = null,
       program_version = coalesce(program_version,
         (select version from pipelines where id = runs.pipeline_id)),
       driver = coalesce(driver,
         (select iif(driver = '', @defaultDriver, driver) from pipelines where id = runs.pipeline_id))
     where id = @id and (
       (status = 'running' and lease_expires_at <= @now) or (status = 'queued' and ${isFree}))`,
  )

  return { hasClaimable, claim }

  /** Whether a claim would find anything. */
  function hasClaimable(input: { now: number; labels: readonly string[] }): boolean {
    for (const _id of candidates({ ...input, limit: 1 })) return true
    return false
  }

  /**
   * Takes up to `limit` runs. A run at its last try is taken alone, by an executor that has no other;
   * until then that takes none behind it.
   */
  function claim({ limit, now, leaseTtlMs, isIdle, labels, ...input }: ClaimInput): string[] {
    const claimed: string[] = []
    for (const id of candidates({ now, labels, limit })) {
      const { deaths = 0, journalSeq = 0 } = toll.get({ id, now }) ?? {}
      const isAlone = deaths === MAX_DEATHS - 1
      if (isAlone && !(isIdle && claimed.length === 0)) break
      const leaseExpiresAt = now + leaseTtlMs
      const scan = { now, labels: JSON.stringify(labels) }
      // what this claim has taken may hold the group of a candidate, or fill its pipeline
      if (take.run({ ...input, ...scan, id, deaths, journalSeq, leaseExpiresAt }).changes === 0)
        continue
      claimed.push(id)
      if (isAlone || claimed.length === limit) break
    }
    return claimed
  }

  /** Each at least once, in order; looks further only when the last ones were not enough. */
  function* candidates({ now, labels, limit }: Query): Generator<string> {
    const scan = { now, labels: JSON.stringify(labels) }
    for (const { id } of begun.all(scan)) yield id
    for (const window of windows) {
      const rows = front.all({ ...scan, window: window + limit })
      for (const { id, isFree } of rows) if (isFree === 1) yield id
      if (rows.length < window + limit) return
    }
    // those that were taken may have kept others from going: each pass takes one at least
    for (let pass = 0; pass < limit; pass++)
      for (const { id } of heads.all({ ...scan, limit })) yield id
  }
}

interface Scan {
  now: number
  /** JSON. */
  labels: string
}

interface Query {
  now: number
  labels: readonly string[]
  limit: number
}

interface Row {
  id: string
  isFree: number
}

interface Toll {
  deaths: number
  journalSeq: number
}
