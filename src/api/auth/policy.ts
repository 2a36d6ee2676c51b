import { compileAccessRule, type AccessRule } from '../../shared/access-rule.js'
import type { Action, Actor, Authorize } from '../../shared/authorize.js'
import type { Scope } from '../../shared/contract/scopes.js'
import { hasCode } from '../../shared/errors.js'
import type { AccessRules } from '../../shared/db/access-rules.js'

/** What a token needs for each action; null: nobody needs anything. */
export const SCOPE_OF: Readonly<Record<Action, Scope | null>> = {
  'pipeline.list': 'ci:read',
  'pipeline.read': 'ci:read',
  'pipeline.set': 'ci:write',
  'pipeline.pause': 'ci:write',
  'pipeline.delete': 'ci:write',
  'pipeline.run': 'ci:run',
  'run.list': 'ci:read',
  'run.read': 'ci:read',
  'run.stop': 'ci:run',
  'run.resume': 'ci:run',
  'run.retrigger': 'ci:run',
  'run.share': 'ci:run',
  'gate.list': 'ci:read',
  'gate.resolve': 'ci:approve',
  'server.read': 'ci:read',
  'token.manage': 'ci:admin',
  'audit.read': 'ci:admin',
  public: null,
}

/** Who may do what. Every route asks it; nothing else decides. */
export interface Policy {
  authorize: Authorize
  /** Of some rules, else of those of all pipelines, those that keep somebody out. */
  hiddenRules(actor: Actor, sources?: readonly string[]): string[]
  /** Whether somebody may read the whole audit log. */
  isAuditor(actor: Actor): boolean
}

export interface PolicyOptions {
  /** Of the whole server; empty: everybody who has signed in. */
  serverRule: string
  /** Who may read the whole audit log; empty: nobody of those who sign in through a provider. */
  auditRule: string
  rules: AccessRules
}

/** Compiled rules that are kept. */
const MAX_COMPILED = 1_000

/**
 * A token needs the scope of the action; then the server's rule has to admit whoever asks, and then that of the
 * pipeline that the resource belongs to. Throws `expression_invalid` for a server's rule that is none.
 */
export function createPolicy({ serverRule, auditRule, rules }: PolicyOptions): Policy {
  const compiled = new Map<string, AccessRule>()
  const compile = (source: string): AccessRule => {
    const found = compiled.get(source) ?? compileAccessRule(source)
    compiled.delete(source)
    compiled.set(source, found)
    const [oldest] = compiled.keys()
    if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest)
    return found
  }
  const admits = (source: string, actor: Actor): boolean => {
    if (actor.kind !== 'user') return false
    try {
      return compile(source).admits(actor.user, actor.scopes ?? [])
    } catch (error) {
      // set by another version of this program: nobody is let in by a rule that says nothing
      if (hasCode(error, 'expression_invalid')) return false
      throw error
    }
  }
  if (serverRule !== '') compile(serverRule)

  return {
    authorize(actor, action, resource) {
      const needed = SCOPE_OF[action]
      if (needed === null) return undefined
      const scopes = 'scopes' in actor ? actor.scopes : undefined
      if (scopes && !scopes.includes(needed))
        return `access denied: the token is not good for ${needed}`
      if (serverRule !== '' && !admits(serverRule, actor)) return 'access denied'
      const pipelines = rules.findPipelines(resource)
      if (pipelines.every(({ rule }) => rule === '' || admits(rule, actor))) return undefined
      return actor.kind === 'user'
        ? 'access denied to this pipeline'
        : 'pipeline requires OAuth authentication for RBAC evaluation'
    },
    isAuditor: (actor) =>
      actor.kind === 'user'
        ? auditRule !== '' && admits(auditRule, actor)
        : actor.kind !== 'pipeline',
    hiddenRules: (actor, sources = rules.listAll()) =>
      sources.filter((source) => !admits(source, actor)),
  }
}
