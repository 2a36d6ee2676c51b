import { renderLogoutPage } from '../pages/logout-page.js'
import type { ApiContext } from '../context.js'
import type { RouteTable } from '../route-table.js'
import { redirect, sendError, sendHtml, sendJson } from '../send.js'

const OPTIONS = { action: 'public', resource: 'server' } as const

/** Who is signed in, and signing out: here, or wherever somebody has signed in. */
export function addSignOutRoutes({ route }: RouteTable, context: ApiContext): void {
  const { signIn, site, audit } = context
  if (!signIn) return
  const { sessions } = signIn

  route('GET', '/auth/user', OPTIONS, (request, response) => {
    const user = sessions.find(request)
    if (!user)
      return sendError(request, response, 401, 'authentication_required', 'not authenticated')
    sendJson(response, 200, {
      email: user.email,
      name: user.name,
      nick_name: user.nickName,
      avatar_url: user.avatarUrl,
      provider: user.provider,
      user_id: user.userId,
      organizations: user.organizations,
      groups: user.groups,
      raw_data: user.rawData,
    })
  })

  route('GET', '/auth/logout', OPTIONS, (request, response) => {
    if (!sessions.find(request)) return redirect(response, 302, '/auth/login')
    sendHtml(response, 200, renderLogoutPage(site))
  })

  route('POST', '/auth/logout', OPTIONS, async (request, response) => {
    const user = sessions.find(request)
    await sessions.end(request, response)
    if (user) await audit.record(request, { action: 'auth.logout', actor: { kind: 'user', user } })
    redirect(response, 303, '/auth/login')
  })

  route('POST', '/auth/logout/everywhere', OPTIONS, async (request, response) => {
    const user = sessions.find(request)
    if (user) {
      await sessions.endAll(response, user)
      const actor = { kind: 'user', user } as const
      await audit.record(request, { action: 'auth.logout_everywhere', actor })
    }
    redirect(response, 303, '/auth/login')
  })
}
