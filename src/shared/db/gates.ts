import { z } from 'zod'
import type { Db } from './open.js'
import type { Page, PageOf } from './pipelines.js'

export const GATE_STATUSES = ['pending', 'approved', 'rejected', 'timed_out'] as const
export type GateStatus = (typeof GATE_STATUSES)[number]

/**
 * A place where a run waits for a person.
 *
 * pending → approved | rejected | timed_out
 */
export interface Gate {
  id: string
  runId: string
  pipelineId: string
  /** Numbers the gates of a run from 1; 0: one of before the run was started anew. */
  number: number
  name: string
  message: string
  /** Who may resolve it; empty: whoever may resolve gates. */
  approvers: string[]
  status: GateStatus
  /** Who resolved it; empty while it is pending. */
  approvedBy: string
  comment: string
  createdAt: number
  /** When it times out. */
  deadlineAt: number | null
  resolvedAt: number | null
}

export interface NewGate {
  id: string
  number: number
  name: string
  message: string
  approvers: readonly string[]
  timeoutMs: number | null
}

export interface GateResolution {
  status: Exclude<GateStatus, 'pending'>
  by: string
  comment: string
}

/** Who resolves a gate when nobody did in time; on the wire. */
const TIMEOUT = 'timeout'

export type Gates = ReturnType<typeof createGates>

/** The SQL of table `gates`. A trigger wakes the run when one of its gates is resolved. */
export function createGates(db: Db) {
  const insert = db.prepare<[Record<string, unknown>]>(
    `insert into gates (id, run_id, number, name, message, approvers, status, created_at, deadline_at)
     values (@id, @runId, @number, @name, @message, @approvers, 'pending', @now, @deadlineAt)`,
  )
  const resolve = db.prepare<[Record<string, unknown>]>(
    `update gates set status = @status, approved_by = @by, comment = @comment, resolved_at = @now
     where id = @id and status = 'pending'`,
  )
  const expire = db.prepare<[Record<string, unknown>]>(
    `update gates set status = 'timed_out', approved_by = '${TIMEOUT}', resolved_at = @now
     where run_id = @runId and status = 'pending' and deadline_at <= @now`,
  )
  const forget = db.prepare<[string]>("delete from gates where run_id = ? and status = 'pending'")
  const putAside = db.prepare<[string]>('update gates set number = 0 where run_id = ?')
  const approved = db
    .prepare<[string], number>(
      "select 1 from gates where run_id = ? and number > 0 and status = 'approved' limit 1",
    )
    .pluck()
  const byId = db.prepare<[string], Row>(`${SELECT} where gates.id = ?`)
  const byNumber = db.prepare<[string, number], Row>(
    `${SELECT} where gates.run_id = ? and gates.number = ? order by gates.seq desc limit 1`,
  )
  const ofRun = db.prepare<[string], Row>(
    `${SELECT} where gates.run_id = ? order by gates.seq limit ${MAX_OF_RUN}`,
  )
  const list = db.prepare<[Record<string, unknown>], Row>(
    `${SELECT} order by gates.seq desc limit @limit offset @offset`,
  )
  // a gate of a run that has ended stays pending in the record, and waits for nobody
  const ofStatus = `where gates.status = @status
    and (@status <> 'pending' or runs.status in ('queued', 'running'))`
  const listOf = db.prepare<[Record<string, unknown>], Row>(
    `${SELECT} ${ofStatus} order by gates.seq desc limit @limit offset @offset`,
  )
  const count = db.prepare<[], number>('select count(*) from gates').pluck()
  const countOf = db
    .prepare<[{ status: string }], number>(`select count(*) from ${WITH_RUNS} ${ofStatus}`)
    .pluck()

  return {
    insert({ timeoutMs, approvers, ...gate }: NewGate, runId: string, now: number): void {
      const deadlineAt = timeoutMs === null ? null : Math.ceil(now + timeoutMs)
      insert.run({ ...gate, runId, approvers: JSON.stringify(approvers), now, deadlineAt })
    },

    /** False when it is not pending any more. */
    resolve: (id: string, resolution: GateResolution, now: number): boolean =>
      resolve.run({ id, ...resolution, now }).changes === 1,

    /** Ends the gates of a run whose time is over. */
    expire: (runId: string, now: number): void => void expire.run({ runId, now }),

    /** Its run starts anew and asks for its gates again; who has resolved some stays on record. */
    forget(runId: string): void {
      forget.run(runId)
      putAside.run(runId)
    },

    /** Whether somebody has approved a gate of the run, since it began or was started anew. */
    hasApproved: (runId: string): boolean => approved.get(runId) === 1,

    find: (id: string): Gate | undefined => fromRow(byId.get(id)),

    /** The gate that a run asked for by this number. */
    findNumber: (runId: string, number: number): Gate | undefined =>
      fromRow(byNumber.get(runId, number)),

    /** Oldest first. */
    listOfRun: (runId: string): Gate[] => toGates(ofRun.all(runId)),

    /** Newest first; of one status or of all. `pending`: those that can be resolved. */
    list({ page, perPage }: Page, status?: GateStatus): PageOf<Gate> {
      const window = { limit: perPage, offset: (page - 1) * perPage }
      const rows = status === undefined ? list.all(window) : listOf.all({ ...window, status })
      const totalItems = status === undefined ? count.get() : countOf.get({ status })
      return { items: toGates(rows), totalItems: totalItems ?? 0 }
    },
  }
}

/** More gates of one run than anybody looks at. */
const MAX_OF_RUN = 1_000

const WITH_RUNS = 'gates join runs on runs.id = gates.run_id'

const SELECT = `select gates.id, gates.run_id as runId, runs.pipeline_id as pipelineId,
  gates.number, gates.name, gates.message, gates.approvers, gates.status,
  gates.approved_by as approvedBy, gates.comment, gates.created_at as createdAt,
  gates.deadline_at as deadlineAt, gates.resolved_at as resolvedAt
  from ${WITH_RUNS}`

type Row = Omit<Gate, 'approvers'> & { approvers: string }

const approversSchema = z.array(z.string())

function fromRow(row: Row | undefined): Gate | undefined {
  return row && { ...row, approvers: approversSchema.parse(JSON.parse(row.approvers)) }
}

function toGates(rows: readonly Row[]): Gate[] {
  return rows.flatMap((row) => fromRow(row) ?? [])
}
