import type { Request } from 'express'
import { AppError } from '../../shared/errors.js'
import { redirect } from '../send.js'
import type { Access } from './access.js'
import { identifyBearer } from './bearer.js'
import type { SignIn } from './sign-in.js'
import type { TokenReader } from './tokens.js'

/** A session's cookie, or a token in its place. Browsers are sent to the sign-in page. */
export function createOauthAccess({ sessions }: SignIn, tokenReader: TokenReader): Access {
  return {
    async identify(request) {
      const bearer = await identifyBearer(request, tokenReader)
      if (bearer) return bearer
      const user = sessions.find(request)
      return user ? { kind: 'user', user } : { kind: 'anonymous' }
    },
    challenge(request, response) {
      if (isForProgram(request))
        throw new AppError('authentication_required', 'authentication required')
      const next =
        request.method === 'GET' ? `?next=${encodeURIComponent(request.originalUrl)}` : ''
      redirect(response, 302, `/auth/login${next}`)
    },
  }
}

function isForProgram({ path, headers }: Request): boolean {
  return path.startsWith('/api/') || headers.accept?.includes('application/json') === true
}
