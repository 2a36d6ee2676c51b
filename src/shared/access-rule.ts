import type { Scope } from './contract/scopes.js'
import type { User } from './db/users.js'
import { AppError, hasCode } from './errors.js'
import { compileExpression, type VariableType } from './expressions/compile-expression.js'

/** Decides about people who have signed in; compiled once. */
export interface AccessRule {
  /** False too when it cannot decide. */
  admits(user: User, scopes: readonly Scope[]): boolean
}

/** Every list asks every rule: one that looks at each of somebody's organisations is far below. */
const STEPS = 50_000

const VARIABLES: Readonly<Record<string, VariableType>> = {
  Email: 'string',
  Name: 'string',
  NickName: 'string',
  AvatarURL: 'string',
  Provider: 'string',
  UserID: 'string',
  Organizations: 'list',
  Groups: 'list',
  RawData: 'map',
  Scopes: 'list',
}

/** Throws `expression_invalid`. */
export function compileAccessRule(source: string): AccessRule {
  const expression = compileExpression(source, {
    variables: VARIABLES,
    result: 'bool',
    steps: STEPS,
  })
  return {
    admits(user, scopes) {
      try {
        return expression.evaluate(toEnvironment(user, scopes))
      } catch (error) {
        if (error instanceof AppError && hasCode(error, 'expression_failed')) return false
        throw error
      }
    },
  }
}

function toEnvironment(user: User, scopes: readonly Scope[]) {
  return {
    Email: user.email,
    Name: user.name,
    NickName: user.nickName,
    AvatarURL: user.avatarUrl,
    Provider: user.provider,
    UserID: user.userId,
    Organizations: user.organizations,
    Groups: user.groups,
    RawData: user.rawData,
    Scopes: [...scopes],
  }
}
