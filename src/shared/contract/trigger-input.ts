import { z } from 'zod'
import { inputValueSchema } from './inputs.js'

/** Who or what asked for a run; the names are those of the wire. */
export const TRIGGER_TYPES = ['manual', 'webhook', 'cli', 'schedule', 'passed', 'seed'] as const
export type TriggerType = (typeof TRIGGER_TYPES)[number]

/**
 * The request behind a webhook run, as it is stored and shown: no credential is in it, and its body is
 * with the delivery. Names of headers are in Go's canonical case, such as `X-Github-Event`.
 */
export const webhookInputSchema = z.object({
  provider: z.string(),
  eventType: z.string(),
  method: z.string(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  query: z.record(z.string(), z.string()).optional(),
  /** Id of the delivery. */
  delivery: z.string(),
})
export type WebhookInput = z.infer<typeof webhookInputSchema>

/** What a run was started with; stored as JSON in `runs.trigger_input`, empty members left out. */
export const triggerInputSchema = z.object({
  args: z.array(z.string()).optional(),
  jobs: z.array(z.string()).optional(),
  inputs: z.record(z.string(), inputValueSchema).optional(),
  upstream_run_ids: z.array(z.string()).optional(),
  webhook: webhookInputSchema.optional(),
})

export type TriggerInput = z.infer<typeof triggerInputSchema>
