import type { Request } from 'express'
import { nameOf } from '../../shared/authorize.js'
import { AUDIT_OUTCOMES, type AuditFilter, type AuditReader } from '../../shared/db/audit-log.js'
import type { Page } from '../../shared/db/pipelines.js'
import { AppError } from '../../shared/errors.js'
import { openBodyStream } from '../body-stream.js'
import type { ApiContext } from '../context.js'
import { envelope, readPage } from '../read-page.js'
import { actorOf, queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireAuditEntry } from '../wire/audit-entry.js'

/** Entries that are read at once. */
const BATCH = 500

/** The audit log, in pages and as a whole. */
export function addAuditRoutes({ route }: RouteTable, context: ApiContext): void {
  const { auditLog } = context
  const options = { action: 'audit.read', resource: 'server' } as const

  route('GET', '/api/audit', options, (request, response) => {
    const query = queryOf(request)
    sendJson(response, 200, listAudit(context, request, { query, page: readPage(query) }))
  })

  route('GET', '/api/audit/export', options, async (request, response) => {
    const filter = readFilter(queryOf(request), context)
    const reader = readerOf(request, context)
    const body = openBodyStream(response, { 'Content-Type': 'application/x-ndjson' })
    for (let after = 0; !body.gone.aborted;) {
      const entries = auditLog.listAfter(filter, reader, { after, limit: BATCH })
      for (const entry of entries) await body.write(`${JSON.stringify(toWireAuditEntry(entry))}\n`)
      const last = entries.at(-1)
      if (!last || entries.length < BATCH) break
      after = last.seq
    }
    body.end()
  })
}

/** A page of what whoever asks may read of it. Throws `request_invalid` for a filter that is none. */
export function listAudit(
  context: ApiContext,
  request: Request,
  { query, page }: { query: URLSearchParams; page: Page },
) {
  const filter = readFilter(query, context)
  const found = context.auditLog.list(filter, readerOf(request, context), page)
  const items = found.items.map((entry) => toWireAuditEntry(entry))
  return { ...envelope(page, found), items }
}

function readerOf(request: Request, { policy, accessRules, auditLog }: ApiContext): AuditReader {
  const actor = actorOf(request)
  // those of pipelines that are gone count too
  const rules = [...accessRules.listAll(), ...auditLog.listRules()]
  return {
    isAuditor: policy.isAuditor(actor),
    name: nameOf(actor),
    hidden: policy.hiddenRules(actor, rules),
  }
}

function readFilter(query: URLSearchParams, { pipelines }: ApiContext): AuditFilter {
  const outcome = query.get('outcome') ?? ''
  if (outcome !== '' && !AUDIT_OUTCOMES.some((known) => known === outcome))
    throw new AppError('request_invalid', `outcome: expected one of ${AUDIT_OUTCOMES.join(', ')}`)
  const pipeline = query.get('pipeline') ?? ''
  return {
    actor: query.get('actor') ?? '',
    action: query.get('action') ?? '',
    outcome,
    // one that is gone is known by its id alone
    pipelineId: pipelines.findRef(pipeline)?.id ?? pipeline,
    since: readTime(query, 'since') ?? 0,
    until: readTime(query, 'until') ?? Number.MAX_SAFE_INTEGER,
  }
}

function readTime(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN
  if (Number.isFinite(time)) return time
  throw new AppError('request_invalid', `${name}: expected a time such as 2026-11-24T18:00:00Z`)
}
