import { z } from 'zod'
import { AppError } from '../errors.js'
import { refusal, request, tryReadJson } from './client.js'
import type { Connection } from './connection.js'
import { listPages } from './list-pages.js'

/** A pipeline without its source, which a list would be full of. */
export const pipelineSchema = z.object({
  id: z.string(),
  name: z.string(),
  driver: z.string().default(''),
  paused: z.boolean().default(false),
  content_type: z.string().default(''),
  resume_enabled: z.boolean().default(false),
  created_at: z.string().default(''),
  updated_at: z.string().default(''),
})
export type RemotePipeline = z.infer<typeof pipelineSchema>

const PER_PAGE = 100

/**
 * The pipeline of an id or a name, on whatever page of the list it is. An id beats a name, so that a
 * pipeline named like another's id hides nothing. Throws `pipeline_not_found`.
 */
export async function findPipeline(
  connection: Connection,
  nameOrId: string,
): Promise<RemotePipeline> {
  const found =
    (await fetchPipeline(connection, nameOrId)) ?? (await searchPipelines(connection, nameOrId))
  if (found) return found
  throw new AppError('pipeline_not_found', `no pipeline found with name or ID "${nameOrId}"`)
}

/** Asks for it directly; servers of older clients know only ids there. */
async function fetchPipeline(
  connection: Connection,
  nameOrId: string,
): Promise<RemotePipeline | undefined> {
  const response = await request(connection, pipelinePath(nameOrId))
  if ([401, 403].includes(response.status)) throw await refusal(connection, response)
  const found = await tryReadJson(response, pipelineSchema)
  return response.ok && (found?.id === nameOrId || found?.name === nameOrId) ? found : undefined
}

async function searchPipelines(
  connection: Connection,
  nameOrId: string,
): Promise<RemotePipeline | undefined> {
  let named: RemotePipeline | undefined
  const pages = listPages(connection, {
    path: '/api/pipelines',
    item: pipelineSchema,
    perPage: PER_PAGE,
  })
  for await (const page of pages)
    for (const pipeline of page) {
      if (pipeline.id === nameOrId) return pipeline
      if (pipeline.name === nameOrId) named ??= pipeline
    }
  return named
}

/** Below it are the routes of one pipeline. */
export function pipelinePath(nameOrId: string): string {
  return `/api/pipelines/${encodeURIComponent(nameOrId)}`
}
