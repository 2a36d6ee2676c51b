/**
 * Every expected failure of pocketci. Callers branch on `code`, never on the text; a code is
 * documented in docs/errors.md and never renamed. `details` is plain data that is safe to show.
 * A broken invariant is not an AppError: throw a plain Error and let it become a 500.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

/** See docs/errors.md. */
export const ERROR_CODES = [
  // configuration and start-up
  'config_invalid',
  'port_in_use',
  'storage_unusable',
  'storage_newer',
  'storage_busy',
  'storage_full',
  'native_user_unknown',
  'tier_failed',
  // command line
  'usage_invalid',
  'server_unreachable',
  'server_refused',
  'stream_broken',
  'run_failed',
  'workdir_unreadable',
  // requests
  'request_invalid',
  'body_too_large',
  'upload_too_slow',
  'archive_invalid',
  'archive_too_large',
  'not_supported_yet',
  'access_denied',
  'authentication_required',
  'authentication_failed',
  'too_many_attempts',
  'server_stopping',
  // pipelines
  'pipeline_not_found',
  'pipeline_paused',
  'pipeline_invalid',
  'pipeline_stopping',
  'expression_invalid',
  'expression_failed',
  'template_invalid',
  'template_failed',
  'driver_not_allowed',
  'driver_unknown',
  'secret_reserved',
  'secret_missing',
  'secret_withheld',
  'secret_undecryptable',
  // runs
  'run_not_found',
  'run_not_in_flight',
  'run_not_resumable',
  'workdir_gone',
  'run_rejected',
  'task_not_found',
  'gate_not_found',
  'gate_resolved',
  'signature_invalid',
  'delivery_not_found',
  'delivery_gone',
  'share_not_found',
  'share_limit',
  'schedule_not_found',
  'token_not_found',
  'token_limit',
  'queue_full',
  'lease_lost',
  'executor_lost',
  'journal_mismatch',
  'journal_damaged',
  'upload_missing',
  // execution
  'image_unavailable',
  'registry_unavailable',
  'command_not_found',
  'container_failed',
  'container_not_found',
  'volume_failed',
  'volume_file_missing',
  'driver_unavailable',
  'driver_config_invalid',
  'sandbox_limit',
  'message_too_large',
  'aborted',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** The text of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** True for the RangeError of a call that went too deep. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack')
}

/** True for an AppError with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code
}

/** An error as plain data, to cross a thread or process: structured clone drops custom fields. */
export interface ErrorData {
  code?: ErrorCode | undefined
  message: string
  details?: Readonly<Record<string, unknown>> | undefined
  stack?: string | undefined
}

export function toErrorData(error: unknown): ErrorData {
  if (error instanceof AppError)
    return { code: error.code, message: error.message, details: error.details }
  if (error instanceof Error)
    return { message: error.message, ...(error.stack ? { stack: error.stack } : {}) }
  return { message: String(error) }
}

/** The inverse of toErrorData: an AppError when there is a code, else a plain Error. */
export function fromErrorData(data: ErrorData): Error {
  if (data.code) return new AppError(data.code, data.message, { details: { ...data.details } })
  const error = new Error(data.message)
  if (data.stack) error.stack = data.stack
  return error
}
