import type { Request } from 'express'
import { AppError } from '../../shared/errors.js'
import { redirect } from '../send.js'
import type { Access } from './access.js'
import type { SignIn } from './sign-in.js'

/** A session's cookie, or a token in its place. Browsers are sent to the sign-in page. */
export function createOauthAccess({ sessions }: SignIn): Access {
  return {
    identify(request) {
      // whoever sends a token means it: a cookie beside it does not make up for a bad one
      if (request.headers.authorization?.startsWith('Bearer '))
        throw new AppError('authentication_failed', 'invalid or expired token')
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
