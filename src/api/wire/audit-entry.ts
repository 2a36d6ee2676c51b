import type { AuditEntry } from '../../shared/db/audit-log.js'
import { formatTime } from './time.js'

/** An entry of the audit log as clients see it; what is empty is left out. */
export function toWireAuditEntry(entry: AuditEntry) {
  const { seq, at, actor, action, outcome, pipelineId, target, address, requestId, details } = entry
  return {
    ...{ id: seq, at: formatTime(at), action, outcome },
    ...(actor && { actor }),
    ...(pipelineId && { pipeline_id: pipelineId }),
    ...(target && { target }),
    ...(address && { address }),
    ...(requestId && { request_id: requestId }),
    ...(Object.keys(details).length > 0 && { details }),
  }
}
