import { z } from 'zod'
import { AppError } from '../shared/errors.js'

/**
 * Fields of a pipeline that mean something only later. Clients send some of them always, empty;
 * asking for something with one is refused, not ignored.
 */
export const laterFields = {
  rbac_expression: z.string().nullish(),
} as const

type LaterFields = z.infer<z.ZodObject<typeof laterFields>>

/** Throws `request_invalid` for the first field that asks for something. */
export function checkLaterFields(body: LaterFields): void {
  if (body.rbac_expression) throw later('rbac_expression', 'sign-in and permissions')
}

function later(field: string, what: string): AppError {
  return new AppError(
    'request_invalid',
    `${field}: ${what} are not available in this version yet; leave it out`,
  )
}
