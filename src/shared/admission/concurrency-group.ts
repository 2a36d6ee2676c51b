import type { ConcurrencyRule } from '../contract/queue-rules.js'
import type { TriggerInput } from '../contract/trigger-input.js'
import { AppError, hasCode } from '../errors.js'
import { compileTemplate, type RenderOptions } from '../templates/compile-template.js'

/** The group of a run; empty: none. Or why there is none, and then the run fails. */
export type ResolvedGroup = { group: string } | { error: string }

/**
 * A template that begins so names groups that all pipelines share. It is the template that decides,
 * not what it renders to: arguments come from whoever triggers.
 */
const SHARED = 'shared:'

const MAX_KEY_CHARS = 500

/** Go's rules for a struct: a misspelt field is an error, a missing header or argument is empty. */
const RENDERING: RenderOptions = { missing: 'empty', isFixed: true }

/** Throws `template_invalid`. */
export function checkGroupTemplate(template: string): void {
  compileTemplate(bodyOf(template), RENDERING)
}

export function resolveGroup(
  pipelineId: string,
  { mode, template }: ConcurrencyRule,
  input: TriggerInput,
): ResolvedGroup {
  switch (mode) {
    case '':
      return { group: '' }
    case 'serial':
    case 'skip-if-running':
      return { group: `pipeline:${pipelineId}` }
    case 'group': {
      const prefix = template.startsWith(SHARED) ? SHARED : `pipeline:${pipelineId}:`
      try {
        return { group: `${prefix}${renderKey(template, input)}` }
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        return { error: `resolve concurrency group: ${error.message}` }
      }
    }
  }
}

function renderKey(template: string, input: TriggerInput): string {
  const key = render(template, input).trim()
  if (key === '')
    throw new AppError('template_failed', 'concurrency_group_template rendered to an empty string')
  if (key.length > MAX_KEY_CHARS)
    throw new AppError(
      'template_failed',
      `concurrency_group_template rendered to ${key.length} characters; at most ${MAX_KEY_CHARS}`,
    )
  return key
}

function render(template: string, input: TriggerInput): string {
  try {
    return compileTemplate(bodyOf(template), RENDERING).render(toData(input))
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const verb = hasCode(error, 'template_invalid') ? 'parse' : 'execute'
    throw new AppError(error.code, `${verb} concurrency_group_template: ${error.message}`)
  }
}

function bodyOf(template: string): string {
  return template.startsWith(SHARED) ? template.slice(SHARED.length) : template
}

/** What a template sees; the names are those of the reference. */
function toData({ args = [], jobs = [], webhook }: TriggerInput) {
  const headers = webhook?.headers ?? {}
  const header = (name: string): string =>
    Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1] ?? ''
  return {
    Args: args,
    Jobs: jobs,
    Webhook: {
      Provider: webhook?.provider ?? '',
      EventType: webhook?.eventType ?? '',
      Method: webhook?.method ?? '',
      URL: webhook?.url ?? '',
      Branch: header('x-branch'),
      Ref: header('x-ref'),
      Headers: headers,
      Query: webhook?.query ?? {},
    },
  }
}
