import { z } from 'zod'
import { parseDuration } from '../shared/config/duration.js'
import {
  CONCURRENCY_MODES,
  findLabelFault,
  findRuleFault,
  NO_RULE,
  PRIORITIES,
  type ConcurrencyMode,
  type ConcurrencyRule,
} from '../shared/contract/queue-rules.js'
import { AppError } from '../shared/errors.js'
import { checkGroupTemplate } from '../shared/admission/concurrency-group.js'

/** What a set of a pipeline says about its runs in the queue; null is like nothing. */
export const queueFields = {
  concurrency_mode: z.string().nullish(),
  concurrency_group_template: z.string().nullish(),
  concurrency_cancel_running: z.boolean().nullish(),
  priority: z.enum(PRIORITIES).nullish(),
  labels: z.array(z.string()).nullish(),
  max_in_flight: z.number().int().min(0).max(1_000_000).nullish(),
  run_timeout: z.string().nullish(),
} as const

type QueueFields = z.infer<z.ZodObject<typeof queueFields>>

/** A week: what a timer of an executor can wait for, and longer than a run should. */
const MAX_TIMEOUT_MS = 7 * 24 * 3_600_000

/** Throws `request_invalid`. What has to fit the stored rule is looked at when that is written. */
export function checkQueueFields(body: QueueFields): void {
  const rule = toConcurrency(body)
  if (rule.mode !== undefined) refuse(findRuleFault({ ...NO_RULE, ...rule }))
  if (rule.template) checkTemplate(rule.template)
  const fault = findLabelFault(body.labels ?? [])
  if (fault !== undefined) refuse(`labels: ${fault}`)
  toQueueSettings(body)
}

/** With a mode the whole rule, without one what is to change of it. Throws `request_invalid`. */
export function toConcurrency(body: QueueFields): Partial<ConcurrencyRule> {
  const { concurrency_mode: mode, concurrency_group_template: template } = body
  const cancelsRunning = body.concurrency_cancel_running ?? undefined
  return {
    ...(mode !== undefined && mode !== null && { mode: toMode(mode) }),
    ...(template !== undefined && template !== null && { template }),
    ...(cancelsRunning !== undefined && { cancelsRunning }),
  }
}

export function toQueueSettings({
  priority,
  labels,
  max_in_flight: maxInFlight,
  run_timeout: timeout,
}: QueueFields) {
  return {
    priority: priority ?? undefined,
    labels: labels ?? undefined,
    maxInFlight: maxInFlight ?? undefined,
    runTimeoutMs: timeout === undefined || timeout === null ? undefined : toTimeoutMs(timeout),
  }
}

function toMode(given: string): ConcurrencyMode {
  const mode = CONCURRENCY_MODES.find((known) => known === given)
  if (mode !== undefined) return mode
  throw new AppError(
    'request_invalid',
    `unknown concurrency_mode ${JSON.stringify(given.slice(0, 100))} (valid: "", "serial", "group", "skip-if-running")`,
  )
}

function checkTemplate(template: string): void {
  try {
    checkGroupTemplate(template)
  } catch (error) {
    if (error instanceof AppError) refuse(`concurrency_group_template: ${error.message}`)
    throw error
  }
}

/** Empty and 0 mean: no limit. */
function toTimeoutMs(text: string): number {
  const ms = text === '' ? 0 : parseDuration(text)
  if (ms === undefined || (ms !== 0 && (ms < 1 || ms > MAX_TIMEOUT_MS)))
    throw new AppError(
      'request_invalid',
      `run_timeout: expected a duration from 1ms to 168h, or 0 for no limit, got ${JSON.stringify(text.slice(0, 80))}`,
    )
  return Math.round(ms)
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new AppError('request_invalid', fault)
}
