import {
  CONCURRENCY_MODES,
  fromLevel,
  fromStoredLabels,
  toLevel,
  toStoredLabels,
  type ConcurrencyRule,
  type Priority,
} from '../contract/queue-rules.js'
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
  concurrency: ConcurrencyRule
  priority: Priority
  labels: string[]
  /** Runs under way at once; 0: no limit. */
  maxInFlight: number
  /** How long a run may take; 0: no limit. */
  runTimeoutMs: number
  /** Whom it is open to; empty: everybody whom the server is open to. See access-rule.ts. */
  rule: string
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
  concurrency?: ConcurrencyRule | undefined
  priority?: Priority | undefined
  labels?: readonly string[] | undefined
  maxInFlight?: number | undefined
  runTimeoutMs?: number | undefined
  rule?: string | undefined
}

/** What a run takes over from its pipeline when it is accepted. */
export interface QueueRules {
  isPaused: boolean
  concurrency: ConcurrencyRule
  priority: Priority
  labels: string[]
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
  const rules = `paused, concurrency_mode as mode, concurrency_group_template as template,
    concurrency_cancel_running as cancelsRunning, priority, labels`
  const columns = `id, name, content, content_type as contentType, driver,
    resume_enabled as resumeEnabled, ${rules}, max_in_flight as maxInFlight,
    run_timeout_ms as runTimeoutMs, rbac_expression as rule, created_at as createdAt, updated_at as updatedAt`
  const byId = db.prepare<[string], Row>(`select ${columns} from pipelines where id = ?`)
  const byName = db.prepare<[string], Row>(`select ${columns} from pipelines where name = ?`)
  const upsert = db.prepare<[Record<string, unknown>]>(
    `insert into pipelines (id, name, content, content_type, driver, program, source_map,
       resume_enabled, concurrency_mode, concurrency_group_template, concurrency_cancel_running,
       priority, labels, max_in_flight, run_timeout_ms, rbac_expression, created_at, updated_at)
     values (@id, @name, @content, @contentType, @driver, @program, @sourceMap,
       coalesce(@resumeEnabled, 0), coalesce(@mode, ''), coalesce(@template, ''),
       coalesce(@cancelsRunning, 0), coalesce(@priority, 0), coalesce(@labels, '[]'),
       coalesce(@maxInFlight, 0), coalesce(@runTimeoutMs, 0), coalesce(@rule, ''), @now, @now)
     on conflict (name) do update set
       content = excluded.content, content_type = excluded.content_type, driver = excluded.driver,
       program = excluded.program, source_map = excluded.source_map,
       resume_enabled = coalesce(@resumeEnabled, resume_enabled),
       concurrency_mode = coalesce(@mode, concurrency_mode),
       concurrency_group_template = coalesce(@template, concurrency_group_template),
       concurrency_cancel_running = coalesce(@cancelsRunning, concurrency_cancel_running),
       priority = coalesce(@priority, priority), labels = coalesce(@labels, labels),
       max_in_flight = coalesce(@maxInFlight, max_in_flight),
       run_timeout_ms = coalesce(@runTimeoutMs, run_timeout_ms),
       rbac_expression = coalesce(@rule, rbac_expression), updated_at = excluded.updated_at`,
  )
  const ruleById = db
    .prepare<[string], string>('select rbac_expression from pipelines where id = ?')
    .pluck()
  const refById = db.prepare<[string], PipelineRef>('select id, name from pipelines where id = ?')
  const refByName = db.prepare<[string], PipelineRef>(
    'select id, name from pipelines where name = ?',
  )
  const rulesOf = db.prepare<[string], RulesRow>(`select ${rules} from pipelines where id = ?`)
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

    /** Whom it is open to; '' also when it is not there. */
    findRule: (id: string): string => ruleById.get(id) ?? '',

    findName: (id: string): string | undefined => refById.get(id)?.name,

    /** Undefined when it is not there. */
    findRules(id: string): QueueRules | undefined {
      const row = rulesOf.get(id)
      return row && toRules(row)
    },

    /** The compiled form of a version; kept while a run of it is under way. */
    findProgram: (id: string, version: number) => program.get({ id, version }),

    /** Creates or replaces the pipeline of that name; the id of an existing one stays. */
    upsert(input: PipelineInput, id: string, now: number): Pipeline {
      upsert.run({ ...toColumns(input), id, now })
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

interface RulesRow {
  paused: number
  mode: string
  template: string
  cancelsRunning: number
  priority: number
  labels: string
}

interface Row extends RulesRow {
  id: string
  name: string
  content: string
  contentType: string
  driver: string
  resumeEnabled: number
  maxInFlight: number
  runTimeoutMs: number
  rule: string
  createdAt: number
  updatedAt: number
}

/** Null leaves what is stored. */
function toColumns({
  isResumeEnabled,
  concurrency,
  priority,
  labels,
  maxInFlight,
  runTimeoutMs,
  rule,
  ...input
}: PipelineInput) {
  return {
    ...input,
    resumeEnabled: isResumeEnabled === undefined ? null : Number(isResumeEnabled),
    mode: concurrency?.mode ?? null,
    template: concurrency?.template ?? null,
    cancelsRunning: concurrency ? Number(concurrency.cancelsRunning) : null,
    priority: priority === undefined ? null : toLevel(priority),
    labels: labels ? toStoredLabels(labels) : null,
    maxInFlight: maxInFlight ?? null,
    runTimeoutMs: runTimeoutMs ?? null,
    rule: rule ?? null,
  }
}

function toPipeline(row: Row | undefined): Pipeline | undefined {
  return row && { ...fromRow(row), content: row.content }
}

function fromRow(row: Omit<Row, 'content'>): PipelineSummary {
  const { id, name, contentType, driver, maxInFlight, runTimeoutMs, rule } = row
  const { createdAt, updatedAt } = row
  return {
    ...{ id, name, contentType, driver, maxInFlight, runTimeoutMs, rule, createdAt, updatedAt },
    isResumeEnabled: row.resumeEnabled === 1,
    ...toRules(row),
  }
}

function toRules({
  paused,
  mode,
  template,
  cancelsRunning,
  priority,
  labels,
}: RulesRow): QueueRules {
  return {
    isPaused: paused === 1,
    concurrency: { mode: toMode(mode), template, cancelsRunning: cancelsRunning === 1 },
    priority: fromLevel(priority),
    labels: fromStoredLabels(labels),
  }
}

function toMode(text: string): ConcurrencyRule['mode'] {
  const mode = CONCURRENCY_MODES.find((known) => known === text)
  if (mode === undefined) throw new Error(`there is no concurrency mode ${text}`)
  return mode
}
