import { isTerminal } from '../../shared/contract/statuses.js'
import type { WebhookResponse } from '../../shared/contract/webhook-response.js'
import type { Run } from '../../shared/db/runs.js'
import type { ApiContext } from '../context.js'

/**
 * What the run of a delivery answers its sender, or undefined: it takes too long, it has ended without a word,
 * or it is behind others in the queue.
 */
export async function awaitResponse(
  { deliveries, runs, waitReasons, changes, closing, now }: ApiContext,
  { deliveryId, run: accepted, waitMs }: { deliveryId: string; run: Run; waitMs: number },
): Promise<WebhookResponse | undefined> {
  const reason = waitReasons.find(accepted, now())
  if (reason && !(reason.kind === 'turn' && reason.ahead === 0)) return undefined
  const signal = AbortSignal.any([closing, AbortSignal.timeout(waitMs)])
  for (;;) {
    const seen = changes.version
    // the status first: a run answers before it ends
    const run = runs.find(accepted.id)
    const response = deliveries.findResponse(deliveryId)
    if (response || !run || isTerminal(run.status) || signal.aborted) return response
    await changes.changed(seen, signal)
  }
}
