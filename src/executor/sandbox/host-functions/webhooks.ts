import { z } from 'zod'
import { webhookResponseSchema } from '../../../shared/contract/webhook-response.js'
import type { Feature } from '../../../shared/config/config.js'
import type { Claim, Run } from '../../../shared/db/runs.js'
import type { WriterClient } from '../../../shared/db/writer/writer-client.js'
import { AppError } from '../../../shared/errors.js'
import {
  createEventExpressions,
  type EventExpressions,
  type WebhookEvent,
} from '../../../shared/webhooks/event-expressions.js'
import { parseGuestInput } from '../../steps/run-config.js'
import type { ExecutorWrites } from '../../writes.js'
import { leaseLost, type Effects } from '../effects.js'

export interface WebhookOptions {
  claim: Claim
  run: Pick<Run, 'pipelineId' | 'triggerInput'>
  features: readonly Feature[]
  /** Of a delivery; undefined: it is no longer stored. */
  findBody(deliveryId: string): Buffer | undefined
  writer: WriterClient<ExecutorWrites>
  effects: Effects
  /** How long a key is known. */
  dedupTtlMs: number
  /** Writes a line into the run's console. */
  warn(text: string): void
  now: () => number
}

/**
 * The webhook that started a run, and expressions over it. What it says is the same at each replay, and so is
 * what an expression makes of it: only keys that were seen before and answers are effects.
 */
export function createWebhookFunctions(options: WebhookOptions) {
  const { run, features, effects, warn } = options
  const input = features.includes('webhooks') ? run.triggerInput.webhook : undefined
  let opened: { event: WebhookEvent; expressions: EventExpressions } | undefined
  let hasResponded = false

  /** Read by the first call that wants it: bodies are large. */
  const open = (): typeof opened => {
    if (!input || opened) return opened
    const body = options.findBody(input.delivery)
    if (!body)
      throw new AppError('delivery_gone', `webhook delivery ${input.delivery} is no longer stored`)
    const event = { input, body: body.toString() }
    return (opened = { event, expressions: createEventExpressions(event) })
  }

  /** A fault of an expression is said in the run's log and changes nothing else. */
  const attempt = <Value>(evaluate: () => Value): Value | undefined => {
    try {
      return evaluate()
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'delivery_gone') throw error
      warn(error.message)
      return undefined
    }
  }

  return {
    'http.request': (): unknown => {
      const event = open()?.event
      if (!event) return undefined
      const { delivery: _delivery, url = '', headers = {}, query = {}, ...rest } = event.input
      return { ...rest, url, headers, query, body: event.body }
    },

    'http.respond': (args: readonly unknown[]): null => {
      const response = parseGuestInput(webhookResponseSchema, 'http.respond', args[0])
      if (!input || hasResponded) return null
      hasResponded = true
      if (effects.recall('http.respond', args)) return null
      const entries = effects.entriesOf('http.respond', args, { outcome: 'resolve', value: null })
      effects.commit(entries, [{ type: 'respond', response }])
      return null
    },

    'webhook.trigger': ([source]: readonly unknown[]): boolean => {
      const expression = parseSource('webhookTrigger', source)
      return !input || attempt(() => open()?.expressions.isWanted(expression)) === true
    },

    'webhook.params': ([sources]: readonly unknown[]): Record<string, string> => {
      const given = parseGuestInput(paramsSchema, 'webhookParams', sources)
      if (!input) return {}
      const values = Object.entries(given).map(([name, source]) => [
        name,
        attempt(() => open()?.expressions.parameter(source)),
      ])
      return Object.fromEntries(values.filter(([, value]) => value !== undefined))
    },

    'webhook.dedup': (args: readonly unknown[]): boolean => {
      const expression = parseSource('webhookDedup', args[0])
      if (!input) return false
      const keyHash = attempt(() => open()?.expressions.dedupKey(expression))
      return keyHash !== undefined && isDuplicate(options, args, keyHash)
    },
  }
}

const paramsSchema = z
  .record(z.string(), z.string())
  .refine((params) => Object.keys(params).length <= 1_000, 'at most 1000')

function parseSource(name: string, source: unknown): string {
  if (typeof source === 'string') return source
  throw new AppError('request_invalid', `${name} expects an expression, which is a string`)
}

/** One transaction with its journal entries: of any number of runs that ask, one is the first. */
function isDuplicate(
  { claim, run, writer, effects, dedupTtlMs: ttlMs, now }: WebhookOptions,
  args: readonly unknown[],
  keyHash: Buffer,
): boolean {
  const recorded = effects.recall('webhook.dedup', args)
  if (recorded) return recorded.value === true
  const entries = effects.entriesOf('webhook.dedup', args, { outcome: 'resolve', value: null })
  try {
    const { pipelineId } = run
    const input = { claim, pipelineId, keyHash, ttlMs, entries, now: now() }
    const result = writer.writeSync('webhookDedup', input)
    if (!result) throw leaseLost(claim)
    return result.isDuplicate
  } catch (error) {
    // the guest must not go on from what a replay would not see
    effects.fail(error)
    throw error
  }
}
