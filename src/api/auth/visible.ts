import type { Request } from 'express'
import type { IdPage } from '../../shared/db/access-rules.js'
import type { Gate, GateStatus } from '../../shared/db/gates.js'
import type { Page, PageOf, PipelineSummary } from '../../shared/db/pipelines.js'
import type { Run } from '../../shared/db/runs.js'
import type { ApiContext } from '../context.js'
import { actorOf } from '../route-table.js'

/** Lists as whoever asks may see them: a page is full, and the total counts nothing that is hidden. */

export function listPipelines(
  { pipelines, policy, accessRules }: ApiContext,
  request: Request,
  { search, page }: { search: string; page: Page },
): PageOf<PipelineSummary> {
  const hidden = policy.hiddenRules(actorOf(request))
  if (hidden.length === 0) return pipelines.list(search, page)
  return toItems(accessRules.listPipelines(search, page, hidden), pipelines)
}

export function listRuns(
  { runs, policy, accessRules }: ApiContext,
  request: Request,
  page: Page,
): PageOf<Run> {
  const hidden = policy.hiddenRules(actorOf(request))
  return hidden.length === 0 ? runs.list(page) : toItems(accessRules.listRuns(page, hidden), runs)
}

export function listGates(
  { gates, policy, accessRules }: ApiContext,
  request: Request,
  { status, page }: { status: GateStatus | undefined; page: Page },
): PageOf<Gate> {
  const hidden = policy.hiddenRules(actorOf(request))
  if (hidden.length === 0) return gates.list(page, status)
  return toItems(accessRules.listGates(page, hidden, status), gates)
}

/** As much as the largest queue may hold. */
const MAX_COUNT = 1_000_000

/** The first of what runs and of what waits, with how many there are. */
export function listQueue(
  { runs, policy, accessRules }: ApiContext,
  request: Request,
  limit: number,
): { running: PageOf<Run>; queued: PageOf<Run> } {
  const hidden = policy.hiddenRules(actorOf(request))
  if (hidden.length === 0)
    return {
      running: { items: runs.listRunning(limit), totalItems: runs.countRunning(MAX_COUNT) },
      queued: { items: runs.listQueued(limit), totalItems: runs.countQueued(MAX_COUNT) },
    }
  const page = { page: 1, perPage: limit }
  return {
    running: toItems(accessRules.listRunning(page, hidden), runs),
    queued: toItems(accessRules.listQueued(page, hidden), runs),
  }
}

/** What is gone meanwhile is left out. */
function toItems<Item>(
  { ids, totalItems }: IdPage,
  table: { find(id: string): Item | undefined },
): PageOf<Item> {
  return { items: ids.flatMap((id) => table.find(id) ?? []), totalItems }
}
