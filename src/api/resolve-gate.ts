import type { Gate, GateResolution, GateStatus, Gates } from '../shared/db/gates.js'
import type { Runs } from '../shared/db/runs.js'
import { isTerminal } from '../shared/contract/statuses.js'

export interface ResolveGate {
  id: string
  resolution: GateResolution & { status: 'approved' | 'rejected' }
  now: number
}

export type GateResult =
  | { outcome: 'resolved'; gate: Gate }
  | { outcome: 'already'; status: GateStatus }
  | { outcome: 'run_ended' }
  | { outcome: 'not_found' }

/** Approves or rejects a pending gate of a run that has not ended. To be called in a transaction. */
export function resolveGate(
  { gates, runs }: { gates: Gates; runs: Runs },
  { id, resolution, now }: ResolveGate,
): GateResult {
  const asked = gates.find(id)
  if (!asked) return { outcome: 'not_found' }
  const run = runs.find(asked.runId)
  if (asked.status === 'pending' && (!run || isTerminal(run.status)))
    return { outcome: 'run_ended' }
  gates.expire(asked.runId, now)
  const isResolved = gates.resolve(id, resolution, now)
  const gate = gates.find(id)
  if (!gate) return { outcome: 'not_found' }
  return isResolved ? { outcome: 'resolved', gate } : { outcome: 'already', status: gate.status }
}
