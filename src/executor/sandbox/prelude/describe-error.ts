import { errorToString, isObject, ErrorIntrinsic } from './intrinsics.js'
import { inspect, truncate } from './inspect.js'

const MAX_MESSAGE_CHARS = 16_384
const MAX_STACK_CHARS = 16_384

/** What was thrown, as text. The value may be anything and may throw whenever it is touched. */
export function describeError(value: unknown): { message: string; stack: string } {
  try {
    return { message: truncate(messageOf(value), MAX_MESSAGE_CHARS), stack: stackOf(value) }
  } catch {
    return { message: 'an error that cannot be read', stack: '' }
  }
}

/** The message alone, without the error's name. */
export function reasonOf(value: unknown): string {
  try {
    const message = value instanceof ErrorIntrinsic ? value.message : undefined
    return typeof message === 'string'
      ? truncate(message, MAX_MESSAGE_CHARS)
      : describeError(value).message
  } catch {
    return 'an error that cannot be read'
  }
}

function messageOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value instanceof ErrorIntrinsic ? errorToString(value) : inspect(value)
}

function stackOf(value: unknown): string {
  const stack = isObject(value) ? value['stack'] : undefined
  return typeof stack === 'string' ? truncate(stack, MAX_STACK_CHARS) : ''
}
