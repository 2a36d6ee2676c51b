import type { DeclaredSchedule } from '../contract/schedules.js'
import { triggerInputSchema } from '../contract/trigger-input.js'
import type { ScheduleTime } from '../schedules/next-run.js'
import type { Db } from './open.js'

/** When a pipeline starts runs by itself. Times are unix milliseconds. */
export interface Schedule extends DeclaredSchedule {
  id: string
  pipelineId: string
  name: string
  isEnabled: boolean
  lastRunAt: number | null
  /** In the past: it is due. Null: it is paused. */
  nextRunAt: number | null
  createdAt: number
  updatedAt: number
}

/** What is written of a schedule when its pipeline is set; the rest stays. */
export type ScheduleInput = Pick<Schedule, 'pipelineId' | 'name' | 'nextRunAt'> & DeclaredSchedule

/** One time at which a schedule is due. */
export interface DueSchedule {
  id: string
  dueAt: number
}

export type Schedules = ReturnType<typeof createSchedules>

/** The SQL of table `schedules`. */
export function createSchedules(db: Db) {
  const byId = db.prepare<[string], Row>(`select ${COLUMNS} from schedules where id = ?`)
  const ofPipeline = db.prepare<[string], Row>(
    `select ${COLUMNS} from schedules where pipeline_id = ? order by name`,
  )
  const due = db.prepare<[Record<string, unknown>], DueSchedule>(
    `select id, next_run_at as dueAt from schedules where next_run_at <= @now
     order by next_run_at limit @limit`,
  )
  const nextDue = db
    .prepare<[], number | null>('select min(next_run_at) from schedules where next_run_at > 0')
    .pluck()
  const upsert = db.prepare<[Record<string, unknown>]>(
    `insert into schedules (id, pipeline_id, name, schedule_type, schedule_expr, job_name,
       trigger_input, enabled, next_run_at, created_at, updated_at)
     values (@id, @pipelineId, @name, @type, @expr, @jobName, @triggerInput,
       @nextRunAt is not null, @nextRunAt, @now, @now)
     on conflict (pipeline_id, name) do update set
       schedule_type = excluded.schedule_type, schedule_expr = excluded.schedule_expr,
       job_name = excluded.job_name, trigger_input = excluded.trigger_input,
       next_run_at = excluded.next_run_at, updated_at = excluded.updated_at`,
  )
  const remove = db.prepare<[string]>('delete from schedules where id = ?')
  const advance = db.prepare<[Record<string, unknown>]>(
    `update schedules set next_run_at = @nextRunAt, last_run_at = coalesce(@lastRunAt, last_run_at)
     where id = @id and next_run_at = @dueAt`,
  )
  const pause = db.prepare<[Record<string, unknown>]>(
    `update schedules set enabled = 0, next_run_at = null, updated_at = @now
     where id = @id and enabled = 1`,
  )
  const resume = db.prepare<[Record<string, unknown>]>(
    `update schedules set enabled = 1, next_run_at = @nextRunAt, updated_at = @now
     where id = @id and enabled = 0`,
  )

  return {
    find(id: string): Schedule | undefined {
      const row = byId.get(id)
      return row && fromRow(row)
    },

    /** By name. */
    listOf: (pipelineId: string): Schedule[] => ofPipeline.all(pipelineId).map(fromRow),

    /** The longest due first. */
    listDue: (now: number, limit: number): DueSchedule[] => due.all({ now, limit }),

    /** The next time at which one is due, which may have passed; undefined: none is enabled. */
    findNextDue: (): number | undefined => nextDue.get() ?? undefined,

    /** Adds one under this id, or changes the pipeline's of that name. */
    upsert: ({ triggerInput, ...input }: ScheduleInput, id: string, now: number): void =>
      void upsert.run({ ...input, id, now, triggerInput: JSON.stringify(triggerInput) }),

    remove: (id: string): void => void remove.run(id),

    /** Goes on from a time that was due. False: somebody else has. */
    advance: (
      { id, dueAt }: DueSchedule,
      next: { nextRunAt: number; lastRunAt: number | null },
    ): boolean => advance.run({ id, dueAt, ...next }).changes === 1,

    /** Both change nothing of one that is so already. */
    pause: (id: string, now: number): void => void pause.run({ id, now }),
    resume: (id: string, nextRunAt: number, now: number): void =>
      void resume.run({ id, nextRunAt, now }),
  }
}

const COLUMNS = `id, pipeline_id as pipelineId, name, schedule_type as type, schedule_expr as expr,
  job_name as jobName, trigger_input as triggerInput, enabled as isEnabled,
  last_run_at as lastRunAt, next_run_at as nextRunAt, created_at as createdAt, updated_at as updatedAt`

type Row = Omit<Schedule, 'triggerInput' | 'isEnabled' | 'type'> & {
  // the table's check has no others
  type: ScheduleTime['type']
  triggerInput: string
  isEnabled: number
}

function fromRow(row: Row): Schedule {
  return {
    ...row,
    isEnabled: row.isEnabled === 1,
    triggerInput: triggerInputSchema.parse(JSON.parse(row.triggerInput)),
  }
}
