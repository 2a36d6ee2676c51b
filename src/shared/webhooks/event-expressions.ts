import { createHash } from 'node:crypto'
import type { WebhookInput } from '../contract/trigger-input.js'
import { AppError, hasCode } from '../errors.js'
import {
  compileExpression,
  type ResultTypes,
  type VariableType,
} from '../expressions/compile-expression.js'

/** What expressions see of a webhook. */
export interface WebhookEvent {
  input: WebhookInput
  /** Raw, as text. */
  body: string
}

/** Expressions over one webhook; each throws an AppError that says which expression is wrong, and where. */
export interface EventExpressions {
  isWanted(source: string): boolean
  parameter(source: string): string
  /** Undefined: the key is empty, and nothing is a repetition. */
  dedupKey(source: string): Buffer | undefined
}

const VARIABLES: Readonly<Record<string, VariableType>> = {
  provider: 'string',
  eventType: 'string',
  method: 'string',
  body: 'string',
  headers: 'headers',
  query: 'texts',
  // nil unless the body is a JSON object
  payload: 'any',
}

export function createEventExpressions({ input, body }: WebhookEvent): EventExpressions {
  const { provider, eventType, method, headers = {}, query = {} } = input
  const env = { provider, eventType, method, headers, query, body, payload: parsePayload(body) }

  return {
    isWanted: (source) => evaluate('webhook_trigger', source, 'bool', env),
    parameter: (source) => evaluate('webhook_params', source, 'string', env),
    dedupKey(source) {
      const key = evaluate('dedup_key', source, 'string', env)
      return key === '' ? undefined : hashKey(key)
    },
  }
}

/** What stands for a key in the store. */
export function hashKey(key: string): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, 16)
}

/** The members of a body that is a JSON object, also one in the field `payload` of a form; else null. */
export function parsePayload(body: string): Record<string, unknown> | null {
  const text = body.startsWith('payload=') ? new URLSearchParams(body).get('payload') : body
  try {
    const value: unknown = JSON.parse(text ?? '')
    const isDict = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isDict ? (value as Record<string, unknown>) : null
  } catch {
    return null // any body is fine
  }
}

type Kind = 'webhook_trigger' | 'webhook_params' | 'dedup_key'

function evaluate<Result extends keyof ResultTypes>(
  kind: Kind,
  source: string,
  result: Result,
  env: Readonly<Record<string, unknown>>,
): ResultTypes[Result] {
  try {
    return compileExpression(source, { variables: VARIABLES, result }).evaluate(env)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `${prefixOf(kind, error)}: ${error.message}`, { cause: error })
  }
}

/** The words of the reference. */
function prefixOf(kind: Kind, error: AppError): string {
  if (kind === 'dedup_key') return 'dedup_key evaluation'
  return `${kind} ${hasCode(error, 'expression_invalid') ? 'compile' : 'eval'} error`
}
