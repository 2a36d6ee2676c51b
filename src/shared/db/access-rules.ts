import type { Resource } from '../authorize.js'
import type { Db } from './open.js'
import type { Page } from './pipelines.js'

/** A pipeline and whom it is open to; '': everybody. */
export interface RuledPipeline {
  id: string
  rule: string
}

/** A page of a list by id, and how many there are. */
export interface IdPage {
  ids: string[]
  totalItems: number
}

export type AccessRules = ReturnType<typeof createAccessRules>

/**
 * The rules of pipelines, column `rbac_expression`: who is let to a pipeline and to what belongs to it. The
 * lists are those of the other tables without what is under one of some rules.
 */
export function createAccessRules(db: Db) {
  const columns = 'pipelines.id, rbac_expression as rule'
  const ofPipeline = db.prepare<[{ key: string }], RuledPipeline>(
    `select ${columns} from pipelines where id = @key or name = @key`,
  )
  const ofRun = db.prepare<[{ key: string }], RuledPipeline>(
    `select ${columns} from runs join pipelines on pipelines.id = runs.pipeline_id
     where runs.id = @key`,
  )
  const ofGate = db.prepare<[{ key: string }], RuledPipeline>(
    `select ${columns} from gates join runs on runs.id = gates.run_id
     join pipelines on pipelines.id = runs.pipeline_id where gates.id = @key`,
  )
  const ofSchedule = db.prepare<[{ key: string }], RuledPipeline>(
    `select ${columns} from schedules join pipelines on pipelines.id = schedules.pipeline_id
     where schedules.id = @key`,
  )
  const all = db
    .prepare<[], string>(
      `select distinct rbac_expression from pipelines where rbac_expression <> ''`,
    )
    .pluck()
  const visible = `pipeline_id not in (select id from pipelines
    where rbac_expression in (select value from json_each(@hidden)))`

  const pagesOf = (from: string, order: string) => {
    const items = db
      .prepare<[Record<string, unknown>], string>(
        `select id from ${from} order by ${order} limit @limit offset @offset`,
      )
      .pluck()
    const count = db
      .prepare<[Record<string, unknown>], number>(`select count(*) from ${from}`)
      .pluck()
    return ({ page, perPage }: Page, hidden: readonly string[], more = {}): IdPage => {
      const values = { ...more, hidden: JSON.stringify(hidden) }
      const window = { limit: perPage, offset: (page - 1) * perPage }
      return { ids: items.all({ ...values, ...window }), totalItems: count.get(values) ?? 0 }
    }
  }
  const pipelines = pagesOf(
    `pipelines where rbac_expression not in (select value from json_each(@hidden))
       and (@search = '' or instr(lower(name), lower(@search)) > 0
         or instr(lower(content), lower(@search)) > 0)`,
    'created_at desc, id',
  )
  const runs = pagesOf(`runs where ${visible}`, 'seq desc')
  const running = pagesOf(`runs where status = 'running' and ${visible}`, 'seq')
  const queued = pagesOf(`runs where status = 'queued' and ${visible}`, 'priority desc, seq')
  const gates = pagesOf(
    `(select gates.id, gates.seq, gates.status, runs.pipeline_id
        from gates join runs on runs.id = gates.run_id)
     where (@status is null or status = @status) and ${visible}`,
    'seq desc',
  )

  return {
    /** The pipeline that something belongs to; all that an id or a name may mean. */
    findPipelines(resource: Resource): RuledPipeline[] {
      switch (resource.kind) {
        case 'server':
          return []
        case 'pipeline':
          return ofPipeline.all(resource)
        case 'run':
          return ofRun.all(resource)
        case 'gate':
          return ofGate.all(resource)
        case 'schedule':
          return ofSchedule.all(resource)
      }
    },

    /** Every rule that some pipeline has, once. */
    listAll: (): string[] => all.all(),

    listPipelines: (search: string, page: Page, hidden: readonly string[]): IdPage =>
      pipelines(page, hidden, { search }),
    listRuns: (page: Page, hidden: readonly string[]): IdPage => runs(page, hidden),
    listRunning: (page: Page, hidden: readonly string[]): IdPage => running(page, hidden),
    listQueued: (page: Page, hidden: readonly string[]): IdPage => queued(page, hidden),
    listGates: (page: Page, hidden: readonly string[], status?: string): IdPage =>
      gates(page, hidden, { status: status ?? null }),
  }
}
