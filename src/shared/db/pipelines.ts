import type { Db } from './open.js'

/** A stored definition. Times are unix milliseconds. */
export interface Pipeline {
  id: string
  name: string
  content: string
  contentType: string
  /** Empty: the server's default driver. */
  driver: string
  isResumeEnabled: boolean
  isPaused: boolean
  createdAt: number
  updatedAt: number
}

/** A pipeline in a list: without its content. */
export type PipelineSummary = Omit<Pipeline, 'content'>

/** What a set of a pipeline may change; members left out stay as they are. */
export interface PipelineInput {
  name: string
  content: string
  contentType: string
  driver: string
  program: string
  sourceMap: string
  isResumeEnabled?: boolean | undefined
}

/** What is needed to name a pipeline. */
export interface PipelineRef {
  id: string
  name: string
}

export interface Page {
  /** From 1. */
  page: number
  perPage: number
}

export interface PageOf<T> {
  items: T[]
  totalItems: number
}

export type Pipelines = ReturnType<typeof createPipelines>

/** The SQL of table `pipelines`. */
export function createPipelines(db: Db) {
  const columns = `id, name, content, content_type as contentType, driver,
    resume_enabled as resumeEnabled, paused, created_at as createdAt, updated_at as updatedAt`
  const byId = db.prepare<[string], Row>(`select ${columns} from pipelines where id = ?`)
  const byName = db.prepare<[string], Row>(`select ${columns} from pipelines where name = ?`)
  const upsert = db.prepare<[Record<string, unknown>]>(
    `insert into pipelines (id, name, content, content_type, driver, program, source_map,
       resume_enabled, created_at, updated_at)
     values (@id, @name, @content, @contentType, @driver, @program, @sourceMap,
       coalesce(@resumeEnabled, 0), @now, @now)
     on conflict (name) do update set
       content = excluded.content, content_type = excluded.content_type, driver = excluded.driver,
       program = excluded.program, source_map = excluded.source_map,
       resume_enabled = coalesce(@resumeEnabled, resume_enabled), updated_at = excluded.updated_at`,
  )
  const refById = db.prepare<[string], PipelineRef>('select id, name from pipelines where id = ?')
  const refByName = db.prepare<[string], PipelineRef>(
    'select id, name from pipelines where name = ?',
  )
  const paused = db.prepare<[string], number>('select paused from pipelines where id = ?').pluck()
  const setPaused = db.prepare<[number, number, string]>(
    'update pipelines set paused = ?, updated_at = ? where id = ?',
  )
  const remove = db.prepare<[string]>('delete from pipelines where id = ?')
  const program = db.prepare<[Record<string, unknown>], { code: string; sourceMap: string }>(
    `select program as code, source_map as sourceMap from pipelines
       where id = @id and version = @version
     union all
     select program, source_map from superseded_programs
       where pipeline_id = @id and version = @version`,
  )
  // instr over names and contents: a substring search that needs no escaping and no index at this size
  const matching = `(@search = '' or instr(lower(name), lower(@search)) > 0
    or instr(lower(content), lower(@search)) > 0)`
  const list = db.prepare<[Record<string, unknown>], Omit<Row, 'content'>>(
    `select ${columns.replace('content, ', '')} from pipelines where ${matching}
     order by created_at desc, id limit @limit offset @offset`,
  )
  const count = db
    .prepare<[Record<string, unknown>], number>(`select count(*) from pipelines where ${matching}`)
    .pluck()

  return {
    find: (id: string): Pipeline | undefined => toPipeline(byId.get(id)),
    findByName: (name: string): Pipeline | undefined => toPipeline(byName.get(name)),

    /** Which pipeline an id or a name means; an id beats a name. */
    findRef: (key: string): PipelineRef | undefined => refById.get(key) ?? refByName.get(key),

    /** Whether it is paused; undefined when it is not there. */
    findPaused(id: string): boolean | undefined {
      const value = paused.get(id)
      return value === undefined ? undefined : value === 1
    },

    /** The compiled form of a version; kept while a run of it is under way. */
    findProgram: (id: string, version: number) => program.get({ id, version }),

    /** Creates or replaces the pipeline of that name; the id of an existing one stays. */
    upsert(input: PipelineInput, id: string, now: number): Pipeline {
      const { isResumeEnabled, ...rest } = input
      const resumeEnabled = isResumeEnabled === undefined ? null : Number(isResumeEnabled)
      upsert.run({ ...rest, id, resumeEnabled, now })
      const stored = toPipeline(byName.get(input.name))
      if (!stored) throw new Error(`pipeline ${input.name} is not there after its upsert`)
      return stored
    },

    /** False when there is no such pipeline. */
    setPaused: (id: string, isPaused: boolean, now: number): boolean =>
      setPaused.run(Number(isPaused), now, id).changes === 1,

    /** Removes it with its runs, tasks, journal and storage. False when there is no such pipeline. */
    remove: (id: string): boolean => remove.run(id).changes === 1,

    /** Newest first; `search` is a substring of name or content, any case. */
    list(search: string, { page, perPage }: Page): PageOf<PipelineSummary> {
      const items = list
        .all({ search, limit: perPage, offset: (page - 1) * perPage })
        .map((row) => fromRow(row))
      return { items, totalItems: count.get({ search }) ?? 0 }
    },
  }
}

interface Row {
  id: string
  name: string
  content: string
  contentType: string
  driver: string
  resumeEnabled: number
  paused: number
  createdAt: number
  updatedAt: number
}

function toPipeline(row: Row | undefined): Pipeline | undefined {
  return row && { ...fromRow(row), content: row.content }
}

function fromRow({ resumeEnabled, paused, ...row }: Omit<Row, 'content'>): PipelineSummary {
  return { ...row, isResumeEnabled: resumeEnabled === 1, isPaused: paused === 1 }
}
