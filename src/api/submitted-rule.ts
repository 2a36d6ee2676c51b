import { compileAccessRule } from '../shared/access-rule.js'
import type { Actor } from '../shared/authorize.js'
import { AppError, hasCode } from '../shared/errors.js'

/**
 * Checks a rule that somebody sets for a pipeline; '' takes it away. Throws `request_invalid` for one that does
 * not compile, and where nobody signs in whom it could be about. It has to admit whoever sets it: pipelines under
 * one rule may trigger each other.
 */
export function checkSubmittedRule(rule: string | null | undefined, actor: Actor): void {
  if (!rule) return
  if (actor.kind !== 'user')
    throw new AppError(
      'request_invalid',
      'pipeline RBAC expressions require OAuth authentication; basic auth cannot evaluate RBAC',
    )
  try {
    if (compileAccessRule(rule).admits(actor.user, actor.scopes ?? [])) return
  } catch (error) {
    if (!(error instanceof AppError) || !hasCode(error, 'expression_invalid')) throw error
    throw new AppError('request_invalid', `invalid RBAC expression: ${error.message}`, {
      cause: error,
    })
  }
  throw new AppError('request_invalid', 'invalid RBAC expression: it would keep you out yourself')
}
