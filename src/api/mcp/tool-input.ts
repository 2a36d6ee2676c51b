import { z } from 'zod'
import type { Page } from '../../shared/db/pipelines.js'
import { AppError } from '../../shared/errors.js'

const DEFAULT_PER_PAGE = 20
/** A page is read by a model: more than this is no help to it. */
const MAX_PER_PAGE = 50
const MAX_PAGE = 1_000_000

/** No pattern of a search and no path: an id. */
export const runId = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'expected the id of a run')
  .describe('Id of a run')

export const pipelineKey = z.string().min(1).max(255).describe('Id or name of a pipeline')

export const queryText = z.string().max(1_000)

/** Integers that may be null; what makes no sense is the default. */
export const pageFields = {
  page: z.int().nullish().describe('From 1; default 1'),
  per_page: z.int().nullish().describe(`Default ${DEFAULT_PER_PAGE}, at most ${MAX_PER_PAGE}`),
}

export interface PageInput {
  page?: number | null | undefined
  per_page?: number | null | undefined
}

export function toPage({ page, per_page: perPage }: PageInput): Page {
  return {
    page: Math.min(positive(page) ?? 1, MAX_PAGE),
    perPage: Math.min(positive(perPage) ?? DEFAULT_PER_PAGE, MAX_PER_PAGE),
  }
}

/** Throws `request_invalid`, which names the first argument that is wrong. */
export function parseArguments<Input>(schema: z.ZodType<Input>, args: unknown): Input {
  const parsed = schema.safeParse(args ?? {})
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  if (issue?.code === 'unrecognized_keys')
    throw invalid(`unknown argument ${JSON.stringify(issue.keys[0]?.slice(0, 100))}`)
  const path = issue?.path.join('.').slice(0, 100) ?? ''
  throw invalid(path === '' ? (issue?.message ?? '') : `${path}: ${issue?.message}`)
}

function invalid(reason: string): AppError {
  return new AppError('request_invalid', `invalid arguments: ${reason}`)
}

function positive(number: number | null | undefined): number | undefined {
  return typeof number === 'number' && number >= 1 ? number : undefined
}
