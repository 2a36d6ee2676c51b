import { AppError } from '../../shared/errors.js'
import type { ApiContext } from '../context.js'
import type { Access } from './access.js'
import { identifyMcpToken } from './mcp-tokens.js'
import type { SignIn } from './sign-in.js'
import { TOKEN_PREFIX } from './tokens.js'

/**
 * Who sends a request to `/mcp` where people sign in through providers: a token says it, one that was made
 * for this or one of their own. Neither a browser's cookie nor a command line's token counts.
 */
export function createMcpAccess(context: ApiContext, { baseUrl, keys }: SignIn): Access {
  const { tokenReader, now } = context
  const challenge = `resource_metadata="${baseUrl}/.well-known/oauth-protected-resource", scope="ci:read"`

  return {
    async identify({ headers: { authorization = '' } }, response) {
      const [, bearer] = /^bearer +(\S+)$/i.exec(authorization) ?? []
      if (bearer === undefined) return { kind: 'anonymous' }
      const actor = bearer.startsWith(TOKEN_PREFIX)
        ? await tokenReader.identify(bearer)
        : await identifyMcpToken(context, { bearer, key: keys.mcpTokens, now: now() })
      if (!actor) {
        response.setHeader('WWW-Authenticate', `Bearer error="invalid_token", ${challenge}`)
        throw new AppError('authentication_failed', 'invalid token')
      }
      if (!('scopes' in actor) || !actor.scopes || actor.scopes.includes('ci:read')) return actor
      response.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", ${challenge}`)
      throw new AppError('access_denied', 'insufficient scope')
    },
    challenge(_request, response) {
      response.setHeader('WWW-Authenticate', `Bearer ${challenge}`)
      throw new AppError('authentication_required', 'no bearer token')
    },
  }
}
