import type { RunStatus } from '../contract/statuses.js'
import type { Db } from './open.js'
import type { Page } from './pipelines.js'

/** Runs that a search looks through, the newest: no index has what it looks for. */
export const SEARCHED_RUNS = 10_000

export interface RunSearch {
  /** Those of one pipeline; undefined: of all. */
  pipelineId?: string | undefined
  status?: RunStatus | undefined
  /** A part of id, status, error, kind of trigger or who started it, in any case; empty: all. */
  text?: string
  /** Rules of pipelines whose runs are left out. */
  hidden?: readonly string[]
}

/** The SQL of looking for runs among the newest; what is found are ids, newest first. */
export function createRunSearch(db: Db) {
  const prepare = (scope: string) => {
    const found = `from (select ${COLUMNS} from runs ${scope} order by seq desc limit ${SEARCHED_RUNS})
      where (@status is null or status = @status)
        and (@text = '' or instr(lower(${TEXT}), lower(@text)) > 0)
        and pipeline_id not in (select id from pipelines
          where rbac_expression in (select value from json_each(@hidden)))`
    return {
      list: db
        .prepare<[Record<string, unknown>], string>(
          `select id ${found} order by seq desc limit @limit offset @offset`,
        )
        .pluck(),
      count: db.prepare<[Record<string, unknown>], number>(`select count(*) ${found}`).pluck(),
    }
  }
  const ofAll = prepare('')
  const ofPipeline = prepare('where pipeline_id = @pipelineId')
  const lastGreen = db
    .prepare<[{ runId: string }], string>(
      `select id from (
         select id, seq, status, trigger_type from runs
         where pipeline_id = (select pipeline_id from runs where id = @runId)
           and seq < (select seq from runs where id = @runId)
         order by seq desc limit ${SEARCHED_RUNS})
       where status = 'success' and trigger_type <> 'seed' order by seq desc limit 1`,
    )
    .pluck()

  return {
    search(
      { pipelineId, status, text = '', hidden = [] }: RunSearch,
      { page, perPage }: Page,
    ): { ids: string[]; totalItems: number } {
      const { list, count } = pipelineId === undefined ? ofAll : ofPipeline
      const given = { status: status ?? null, text, hidden: JSON.stringify(hidden) }
      const values = pipelineId === undefined ? given : { ...given, pipelineId }
      const window = { limit: perPage, offset: (page - 1) * perPage }
      return { ids: list.all({ ...values, ...window }), totalItems: count.get(values) ?? 0 }
    },

    /** The last run of the same pipeline before this one that succeeded. */
    findLastGreen: (runId: string): string | undefined => lastGreen.get({ runId }),
  }
}

const COLUMNS = 'id, seq, pipeline_id, status, error_message, trigger_type, triggered_by'
const TEXT = `id || ' ' || status || ' ' || error_message || ' ' || trigger_type || ' ' || triggered_by`
