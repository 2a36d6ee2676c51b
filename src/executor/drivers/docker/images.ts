import { createInterface } from 'node:readline'
import type Docker from 'dockerode'
import { z } from 'zod'
import { AppError } from '../../../shared/errors.js'
import {
  engineMessage,
  isEngineLost,
  statusOf,
  toDriverError,
} from '../../../shared/docker/engine.js'

/** Tells a person how a pull goes on; text for the log of the step. */
export type OnProgress = (text: string) => void

/** At most so often; a pull reports each layer many times a second. */
const REPORT_MS = 2_000

const progressSchema = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
})

/** Pulls an image that is not there. Throws `image_unavailable`, `registry_unavailable`, `driver_unavailable`, `aborted`. */
export async function pullImage(
  docker: Docker,
  image: string,
  { onProgress, signal }: { onProgress?: OnProgress | undefined; signal: AbortSignal },
): Promise<void> {
  onProgress?.(`pulling image ${image}\n`)
  try {
    const stream = await docker.pull(withTag(image), { abortSignal: signal })
    await followPull(stream, onProgress)
    onProgress?.(`pulled image ${image}\n`)
  } catch (error) {
    if (signal.aborted) throw new AppError('aborted', 'the start was aborted', { cause: error })
    if (isEngineLost(error)) throw toDriverError(error, 'image_unavailable', 'pulling the image')
    const isRefused = statusOf(error) === 404 || REFUSED.test(engineMessage(error))
    const reason = isRefused ? 'it does not exist, or its registry refuses access' : ''
    throw new AppError(
      // else the registry did not answer as a registry: that passes
      isRefused ? 'image_unavailable' : 'registry_unavailable',
      `cannot pull image "${image.slice(0, 200)}": ${[reason, engineMessage(error)].filter(Boolean).join(': ').slice(0, 1_000)}`,
      { cause: error },
    )
  }
}

/** What registries and engines say of an image that will not be there at the next try either. */
const REFUSED =
  /not found|does not exist|manifest unknown|denied|unauthorized|authentication required|invalid reference|no matching manifest|unsupported/i

/** Without a tag the engine would pull them all. */
function withTag(image: string): string {
  return image.includes('@') || /:[^/]*$/.test(image) ? image : `${image}:latest`
}

async function followPull(
  stream: NodeJS.ReadableStream,
  onProgress: OnProgress | undefined,
): Promise<void> {
  let reportedAt = performance.now()
  for await (const line of createInterface({ input: stream })) {
    if (line.trim() === '') continue
    const { id, status, error } = progressSchema.parse(JSON.parse(line))
    if (error !== undefined) throw Object.assign(new Error(error), { statusCode: 500 })
    if (status === undefined || performance.now() - reportedAt < REPORT_MS) continue
    reportedAt = performance.now()
    onProgress?.(`${id === undefined ? '' : `${id}: `}${status}\n`)
  }
}
