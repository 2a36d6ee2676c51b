import type { Request } from 'express'
import { nanoid } from 'nanoid'
import { z } from 'zod'
import type { ShareLink } from '../../shared/db/share-links.js'
import { AppError } from '../../shared/errors.js'
import { nameOf } from '../../shared/authorize.js'
import { hashToken, newToken } from '../../shared/random-token.js'
import { getRun, type ApiContext } from '../context.js'
import { readLife } from '../read-life.js'
import { envelope, readPage } from '../read-page.js'
import { parseBody, readJsonBody } from '../request-body.js'
import { actorOf, pathParam, queryOf, type RouteTable } from '../route-table.js'
import { sendJson } from '../send.js'
import { toWireShareLink } from '../wire/share-link.js'

const bodySchema = z.strictObject({ expires_in: z.string().max(100).nullish() })

/** Making links that show a run without sign-in, listing and revoking them. */
export function addShareLinkRoutes({ route }: RouteTable, context: ApiContext): void {
  const { writer, shareLinks, audit, now } = context
  const options = { action: 'run.share', resource: { kind: 'run', param: 'run_id' } } as const

  route('POST', '/api/runs/:run_id/share', options, async (request, response) => {
    const json = await readJsonBody(request, { maxBytes: context.config.limits.bodyBytes })
    const lifeMs = readLife(parseBody(bodySchema, json ?? {}).expires_in)
    const { id: runId } = getRun(context, pathParam(request, 'run_id'))
    const { link, path } = await createShareLink(context, request, { runId, lifeMs })
    sendJson(response, 200, { share_path: path, ...toWireShareLink(link) })
  })

  route('GET', '/api/runs/:run_id/shares', options, (request, response) => {
    const { id } = getRun(context, pathParam(request, 'run_id'))
    const page = readPage(queryOf(request))
    const found = shareLinks.list(id, page, now())
    const items = found.items.map((link) => toWireShareLink(link))
    sendJson(response, 200, { ...envelope(page, found), items })
  })

  route('DELETE', '/api/runs/:run_id/shares/:share_id', options, async (request, response) => {
    const [runId, id] = [pathParam(request, 'run_id'), pathParam(request, 'share_id')]
    if (!(await writer.write('removeShareLink', { runId, id })))
      throw new AppError('share_not_found', 'share link not found')
    const { pipelineId } = getRun(context, runId)
    const details = { run: runId }
    await audit.record(request, { action: 'run.unshare', pipelineId, target: id, details })
    response.status(204).end()
  })
}

/** A new link to a run and the path that opens it, which is told this once. */
export async function createShareLink(
  { writer, runs, audit, now }: ApiContext,
  request: Request,
  { runId, lifeMs }: { runId: string; lifeMs: number },
): Promise<{ link: ShareLink; path: string }> {
  const token = newToken()
  const createdAt = now()
  const expiresAt = createdAt + lifeMs
  const link = { id: nanoid(), runId, createdBy: nameOf(actorOf(request)), createdAt, expiresAt }
  const result = await writer.write('addShareLink', { ...link, tokenHash: hashToken(token) })
  switch (result) {
    case 'added':
      await audit.record(request, {
        ...{ action: 'run.share', target: link.id, details: { run: runId } },
        pipelineId: runs.find(runId)?.pipelineId ?? '',
      })
      return { link, path: `/share/${token}/tasks` }
    case 'not_found':
      throw new AppError('run_not_found', 'run not found')
    case 'too_many':
      throw new AppError('share_limit', 'the run has too many share links: revoke some of them')
  }
}
