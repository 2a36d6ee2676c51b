import type { Gate } from '../../shared/db/gates.js'
import { formatTime } from './time.js'

/** A gate as clients see it; what other servers do not have is left out when it is empty. */
export function toWireGate(gate: Gate) {
  return {
    id: gate.id,
    run_id: gate.runId,
    pipeline_id: gate.pipelineId,
    name: gate.name,
    status: gate.status,
    message: gate.message,
    approved_by: gate.approvedBy,
    ...(gate.comment && { comment: gate.comment }),
    ...(gate.approvers.length > 0 && { approvers: gate.approvers }),
    created_at: formatTime(gate.createdAt),
    ...(gate.deadlineAt !== null && { deadline_at: formatTime(gate.deadlineAt) }),
    ...(gate.resolvedAt !== null && { resolved_at: formatTime(gate.resolvedAt) }),
  }
}
