import type { Request } from 'express'
import type { Run } from '../../shared/db/runs.js'
import { AppError } from '../../shared/errors.js'
import { hashToken } from '../../shared/random-token.js'
import { openBodyStream } from '../body-stream.js'
import { getPipelineRef, type ApiContext } from '../context.js'
import { renderSharePage } from '../pages/share-page.js'
import { readOutputHeads } from '../read-output-head.js'
import { pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendHtml } from '../send.js'
import { createShareRedactor, openChunkMask, redactRun } from '../share/redact-run.js'
import { readNumber } from './run-logs.js'

/** Log chunks that are read at once. */
const BATCH = 16

/** A run for whoever has a link to it: to be looked at, masked, and with nothing that leads further. */
export function addSharedRunRoutes({ route }: RouteTable, context: ApiContext): void {
  const { site, tasks, logs, now } = context
  const options = { action: 'public', resource: 'server' } as const

  route('GET', '/share/:token/tasks', options, (request, response) => {
    const run = getSharedRun(context, request)
    const redactor = createShareRedactor(context, run.pipelineId)
    const { name } = getPipelineRef(context, run.pipelineId)
    const heads = readOutputHeads({ tasks, logs }, run.id, () => openChunkMask(redactor))
    const page = renderSharePage({
      site,
      run: redactRun(run, redactor),
      pipelineName: name,
      logPath: `/share/${encodeURIComponent(pathParam(request, 'token'))}/logs`,
      ...heads,
      steps: heads.steps.map(({ task, head }) => ({
        task: {
          ...task,
          name: redactor.redact(task.name),
          errorMessage: redactor.redact(task.errorMessage),
        },
        head,
      })),
      now: now(),
    })
    sendHtml(response, 200, page)
  })

  route('GET', '/share/:token/logs', options, async (request, response) => {
    const run = getSharedRun(context, request)
    const step = readNumber(queryOf(request), 'step') ?? 0
    const mask = openChunkMask(createShareRedactor(context, run.pipelineId))
    const body = openBodyStream(response, { 'Content-Type': 'text/plain; charset=UTF-8' })
    for (let after = 0; !body.gone.aborted;) {
      const chunks = logs.listOfStep(run.id, step, after, BATCH)
      for (const chunk of chunks) await body.write(mask.push(chunk))
      after = chunks.at(-1)?.seq ?? after
      if (chunks.length < BATCH) break
    }
    await body.write(mask.end())
    body.end()
  })
}

/** A link that was never there, has ended or was revoked: all the same to a stranger. */
function getSharedRun({ shareLinks, runs, now }: ApiContext, request: Request): Run {
  const link = shareLinks.findByHash(hashToken(pathParam(request, 'token')), now())
  const run = link && runs.find(link.runId)
  if (!run) throw new AppError('share_not_found', 'not found')
  return run
}
