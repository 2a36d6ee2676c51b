import { z } from 'zod'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

export const AUDIT_OUTCOMES = ['success', 'denied'] as const
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number]

/** Who did what to what, from where, and what came of it. */
export interface AuditEntry {
  /** Order of recording. */
  seq: number
  at: number
  /** As records name people; empty: nobody had signed in. */
  actor: string
  action: string
  outcome: AuditOutcome
  /** That it is about; it may be gone. Empty: none. */
  pipelineId: string
  /** The run, gate, token or link that it is about. */
  target: string
  address: string
  requestId: string
  details: Record<string, unknown>
}

export type NewAuditEntry = Omit<AuditEntry, 'seq'>

/** Empty members do not count. */
export interface AuditFilter {
  actor: string
  action: string
  outcome: string
  pipelineId: string
  /** Unix milliseconds: from, and before. */
  since: number
  until: number
}

/** Whose eyes the log is read with. */
export interface AuditReader {
  /** May read all of it. */
  isAuditor: boolean
  /** Sees what they did themselves. */
  name: string
  /** And what was done to pipelines but those under these rules. */
  hidden: readonly string[]
}

export type AuditLog = ReturnType<typeof createAuditLog>

/** The SQL of table `audit_log`. */
export function createAuditLog(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into audit_log (at, actor, action, outcome, pipeline_id, rule, target, address, request_id,
       details)
     values (@at, @actor, @action, @outcome, @pipelineId,
       coalesce((select rbac_expression from pipelines where id = @pipelineId), @rule), @target,
       @address, @requestId, @details)`,
  )
  const matching = `where (@actor = '' or actor = @actor) and (@action = '' or action = @action)
    and (@outcome = '' or outcome = @outcome) and (@pipelineId = '' or pipeline_id = @pipelineId)
    and at >= @since and at < @until
    and (@isAuditor or (@name <> '' and actor = @name) or (pipeline_id <> '' and coalesce(
      (select rbac_expression from pipelines where id = pipeline_id), rule)
        not in (select value from json_each(@hidden))))`
  const list = db.prepare<[Record<string, unknown>], Row>(
    `select ${COLUMNS} from audit_log ${matching} order by seq desc limit @limit offset @offset`,
  )
  const count = db
    .prepare<[Record<string, unknown>], number>(`select count(*) from audit_log ${matching}`)
    .pluck()
  const after = db.prepare<[Record<string, unknown>], Row>(
    `select ${COLUMNS} from audit_log ${matching} and seq > @after order by seq limit @limit`,
  )
  const rules = db
    .prepare<[], string>("select distinct rule from audit_log where rule <> ''")
    .pluck()
  const prune = db.prepare<[Record<string, unknown>]>(
    `delete from audit_log where seq in (
       select seq from audit_log
       where at < @before or seq <= (select max(seq) from audit_log) - @keep
       order by seq limit @limit)`,
  )

  return {
    /** `rule`: of a pipeline that is gone already. */
    insert({ details, ...entry }: NewAuditEntry & { rule: string }): number {
      const added = insert.run({ ...entry, details: JSON.stringify(details) })
      return Number(added.lastInsertRowid)
    },

    /** Newest first. */
    list: (
      filter: AuditFilter,
      reader: AuditReader,
      { page, perPage }: Page,
    ): PageOf<AuditEntry> => {
      const values = { ...filter, ...toValues(reader) }
      const window = { limit: perPage, offset: (page - 1) * perPage }
      const rows = list.all({ ...values, ...window })
      return { items: rows.map((row) => fromRow(row)), totalItems: count.get(values) ?? 0 }
    },

    /** Oldest first, behind an entry: walk the whole log with it. */
    listAfter: (
      filter: AuditFilter,
      reader: AuditReader,
      { after: seq, limit }: { after: number; limit: number },
    ): AuditEntry[] =>
      after.all({ ...filter, ...toValues(reader), after: seq, limit }).map((row) => fromRow(row)),

    /** The rules that pipelines were under, each once. */
    listRules: (): string[] => rules.all(),

    /** Removes up to `limit` of those before a time, and of those behind the newest `keep`. */
    prune: (window: { before: number; keep: number; limit: number }): void =>
      void prune.run({ ...window }),
  }
}

const COLUMNS = `seq, at, actor, action, outcome, pipeline_id as pipelineId, target, address,
  request_id as requestId, details`

type Row = Omit<AuditEntry, 'details'> & { details: string }

const detailsSchema = z.record(z.string(), z.unknown())

function toValues({ isAuditor, name, hidden }: AuditReader) {
  return { isAuditor: Number(isAuditor), name, hidden: JSON.stringify(hidden) }
}

function fromRow(row: Row): AuditEntry {
  return { ...row, details: detailsSchema.parse(JSON.parse(row.details)) }
}
