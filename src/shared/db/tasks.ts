import type { TaskStatus } from '../contract/statuses.js'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'
import type { Claim } from './runs.js'

/** One entry of a run's task tree. Its output is in the log database under (run, step). */
export interface Task {
  runId: string
  /** From 1 in order of creation. */
  step: number
  /** Absolute: `/pipeline/<run id>/…`. */
  path: string
  name: string
  status: TaskStatus
  code: number | null
  startedAt: number | null
  completedAt: number | null
  errorMessage: string
  /** How often it was started: more than once only when it was lost. */
  tries: number
  /** The journal's effect that it belongs to; null: it belongs to an earlier generation of its run. */
  effect: number | null
  /** 1: nothing was executed, somebody has said that it passed. */
  seeded: 0 | 1
}

export interface NewTask {
  step: number
  path: string
  name: string
  effect?: number | null
  hasMounts?: boolean
}

export interface TaskEnd {
  status: TaskStatus
  code?: number
  errorMessage?: string
}

export type Tasks = ReturnType<typeof createTasks>

/** The SQL of table `tasks`. The writes are no-ops unless the claim still owns the run; they say so. */
export function createTasks(db: Db) {
  const owned = `exists (select 1 from runs where id = @runId and status = 'running' and attempt = @attempt)`
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into tasks (run_id, step, path, name, status, effect, has_mounts)
     select @runId, @step, @path, @name, 'pending', @effect, @hasMounts where ${owned}`,
  )
  const insertSeeded = db.prepare<[Record<string, unknown>]>(
    `insert into tasks (run_id, step, path, name, status, completed_at, seeded)
     values (@runId, 1, '/pipeline/' || @runId || '/jobs/' || @job, @job, 'success', @now, 1)`,
  )
  const reuse = db.prepare<[Record<string, unknown>]>(
    `update tasks set path = @path, effect = @effect
     where run_id = @runId and step = @step and effect is null and ${owned}`,
  )
  const setAside = db.prepare<[Record<string, unknown>]>(
    `update tasks set effect = null, path = @to || substr(path, length(@from) + 1)
     where run_id = @runId and effect is not null`,
  )
  const maxStep = db
    .prepare<[string], number>('select coalesce(max(step), 0) from tasks where run_id = ?')
    .pluck()
  const start = db.prepare<[Record<string, unknown>]>(
    `update tasks set status = 'running', started_at = @now
     where run_id = @runId and step = @step and status = 'pending' and ${owned}`,
  )
  const finish = db.prepare<[Record<string, unknown>]>(
    `update tasks set status = @status, code = @code, error_message = @errorMessage, completed_at = @now
     where run_id = @runId and step = @step and status in ('pending', 'running') and ${owned}`,
  )
  const retry = db.prepare<[Record<string, unknown>]>(
    `update tasks set tries = @tries, status = 'pending', started_at = null, error_message = @reason
     where run_id = @runId and step = @step and status in ('pending', 'running') and ${owned}`,
  )
  const note = db.prepare<[Record<string, unknown>]>(
    `update tasks set error_message = @text
     where run_id = @runId and step = @step and status in ('pending', 'running') and ${owned}`,
  )
  const byStep = db.prepare<[string, number], Task>(
    `select ${COLUMNS} from tasks where run_id = ? and step = ?`,
  )
  const abortAll = db.prepare<[Record<string, unknown>]>(
    `update tasks set status = @status, error_message = @errorMessage, completed_at = @now
     where run_id = @runId and status in ('pending', 'running')`,
  )
  const list = db.prepare<[Record<string, unknown>], Task>(
    `select ${COLUMNS} from tasks where run_id = @runId and step > @after order by step limit @limit`,
  )
  const page = db.prepare<[Record<string, unknown>], Task>(
    `select ${COLUMNS} from tasks where run_id = @runId order by step limit @limit offset @offset`,
  )
  const count = db.prepare<[string], number>('select count(*) from tasks where run_id = ?').pluck()
  const byPath = db.prepare<[string, string], Task>(
    `select ${COLUMNS} from tasks where run_id = ? and path = ?`,
  )
  const failed = db.prepare<[string, number], Task>(
    `select ${COLUMNS} from tasks
     where run_id = ? and status in ('failure', 'error', 'abort')
       and substr(path, length('/pipeline/' || run_id || '/') + 1, ${EARLIER.length + 1}) <> '${EARLIER}/'
     order by step limit ?`,
  )
  const jobStatus = db
    .prepare<[string, string], string>(
      `select tasks.status from tasks join runs on runs.id = tasks.run_id
       where runs.pipeline_id = ? and tasks.path = '/pipeline/' || runs.id || '/jobs/' || ?
         and tasks.status not in ('skipped', 'pending')
       order by runs.seq desc limit 1`,
    )
    .pluck()

  return {
    insert: (claim: Claim, { hasMounts = false, effect = null, ...task }: NewTask): boolean =>
      insert.run({ ...claim, ...task, effect, hasMounts: Number(hasMounts) }).changes === 1,

    /** The one entry of a run that says no more than that a job has passed. */
    insertSeeded: (runId: string, job: string, now: number): void =>
      void insertSeeded.run({ runId, job, now }),

    /** A task of an earlier generation is one of this generation, as it is. */
    reuse: (claim: Claim, task: { step: number; path: string; effect: number | null }): boolean =>
      reuse.run({ ...claim, ...task }).changes === 1,

    /** Puts the tasks of a generation below `earlier/`; the next one's have their paths then. */
    setAside: (runId: string, generation: number): void =>
      void setAside.run({
        runId,
        from: `/pipeline/${runId}/`,
        to: `/pipeline/${runId}/${EARLIER}/${generation}/`,
      }),

    /** The highest number of a run's tasks; 0 when there are none. */
    maxStep: (runId: string): number => maxStep.get(runId) ?? 0,

    start: (claim: Claim, step: number, now: number): boolean =>
      start.run({ ...claim, step, now }).changes === 1,

    finish(claim: Claim, step: number, end: TaskEnd, now: number): boolean {
      const { status, code = null, errorMessage = '' } = end
      return finish.run({ ...claim, step, status, code, errorMessage, now }).changes === 1
    },

    /** It was lost and runs again. */
    retry: (claim: Claim, step: number, next: { tries: number; reason: string }): boolean =>
      retry.run({ ...claim, step, ...next }).changes === 1,

    /** Says what an open task waits for; '' when it waits no more. */
    note: (claim: Claim, step: number, text: string): boolean =>
      note.run({ ...claim, step, text }).changes === 1,

    /** Ends every open task of a run that ends without them. Part of the transaction that ends it. */
    endOpen: (
      runId: string,
      end: { status: TaskStatus; errorMessage: string },
      now: number,
    ): number => abortAll.run({ runId, ...end, now }).changes,

    findStep: (runId: string, step: number): Task | undefined => byStep.get(runId, step),

    find: (runId: string, path: string): Task | undefined => byPath.get(runId, path),

    /** Up to `limit` tasks behind a step, in order: walk a run of any size with it. */
    listAfter: (runId: string, after: number, limit: number): Task[] =>
      list.all({ runId, after, limit }),

    listPage: (runId: string, { page: number, perPage }: Page): PageOf<Task> => ({
      items: page.all({ runId, limit: perPage, offset: (number - 1) * perPage }),
      totalItems: count.get(runId) ?? 0,
    }),

    /** The first that failed in the last generation of a run, timed out or could not be run. */
    listFailed: (runId: string, limit: number): Task[] => failed.all(runId, limit),

    /** Latest status of a job in a pipeline's runs that is neither skipped nor pending; '' when none. */
    findLatestJobStatus: (pipelineId: string, job: string): string =>
      jobStatus.get(pipelineId, job) ?? '',
  }
}

/** First segment of the paths of tasks that belong to an earlier generation of their run. */
export const EARLIER = 'earlier'

const COLUMNS = `run_id as runId, step, path, name, status, code, started_at as startedAt,
  completed_at as completedAt, error_message as errorMessage, tries, effect, seeded`
