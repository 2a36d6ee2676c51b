import type { Request } from 'express'
import { nameOf, type Actor, type Resource } from '../../shared/authorize.js'
import type { AuditOutcome, NewAuditEntry } from '../../shared/db/audit-log.js'
import type { AccessRules } from '../../shared/db/access-rules.js'
import type { WriterClient } from '../../shared/db/writer/writer-client.js'
import { errorMessage } from '../../shared/errors.js'
import type { Logger } from '../../shared/logger.js'
import { idOf } from '../middleware/request-id.js'
import { actorOf } from '../route-table.js'
import type { ApiWrites } from '../writes.js'
import { createAttemptLimit } from './attempt-limit.js'

/** What somebody did. */
export interface Deed {
  action: string
  pipelineId?: string
  /** The rule of a pipeline that is gone by now. */
  rule?: string
  /** The run, gate, token or link. */
  target?: string
  details?: Record<string, unknown>
  /** Who did it, where that is not who sends the request. */
  actor?: Actor
}

/** Writes down who does what. */
export interface Audit {
  /** Resolves when it is on the disk: to be awaited before the answer. */
  record(request: Request, deed: Deed): Promise<void>
  /** Something was refused. Not awaited, and only some of many from one address. */
  deny(request: Request, deed: Deed & { resource?: Resource }): void
}

export interface AuditOptions {
  writer: WriterClient<ApiWrites>
  logger: Logger
  retentionMs: number
  rules: AccessRules
  now: () => number
}

/** Refusals of one address in a minute: a flood of them would drive all else out of the log. */
const MAX_DENIED = 20

export function createAudit({ writer, logger, retentionMs, rules, now }: AuditOptions): Audit {
  const denied = createAttemptLimit({ now, max: MAX_DENIED })
  const write = async (request: Request, deed: Deed, outcome: AuditOutcome): Promise<void> => {
    const { action, pipelineId = '', rule = '', target = '', details = {} } = deed
    const entry: NewAuditEntry & { rule: string } = {
      ...{ action, outcome, pipelineId, rule, target, details, at: now() },
      actor: nameOf(deed.actor ?? actorOf(request)),
      address: request.ip ?? '',
      requestId: idOf(request),
    }
    logger.info(
      { audit: action, outcome, actor: entry.actor, pipelineId, target, ...details },
      'audit',
    )
    await writer.write('audit', { entry, retentionMs })
  }

  return {
    record: (request, deed) => write(request, deed, 'success'),
    deny(request, { resource, ...deed }) {
      const address = request.ip ?? ''
      if (!isWithin(denied, address)) return
      denied.fail(address)
      const pipelineId = deed.pipelineId ?? (resource && rules.findPipelines(resource)[0]?.id) ?? ''
      const target = deed.target ?? (resource && 'key' in resource ? resource.key : '')
      void write(request, { ...deed, pipelineId, target: target.slice(0, 255) }, 'denied').catch(
        (error: unknown) =>
          logger.warn(
            { reason: errorMessage(error) },
            'a refusal was not written into the audit log',
          ),
      )
    },
  }
}

function isWithin(limit: ReturnType<typeof createAttemptLimit>, address: string): boolean {
  try {
    limit.check(address)
    return true
  } catch {
    return false // its only error says that there were too many
  }
}
