import type { User } from '../../shared/db/users.js'
import { MCP_SCOPES, type McpScope } from '../auth/oauth-protocol.js'
import { visibleText } from './log-text.js'
import { renderPage } from './render-page.js'
import type { Site } from './site.js'

export interface ConsentPageProps {
  site: Site
  /** As the client calls itself; may be empty. */
  client: string
  /** Who gets the code. */
  target: string
  user: User
  /** What it asks for. */
  scopes: readonly McpScope[]
  /** The request, which nobody but this server can read or change. */
  sealed: string
}

/** Asks whether a program is to act for somebody, and in what. */
export function renderConsentPage(props: ConsentPageProps): string {
  const { site, client, target, user, scopes, sealed } = props
  return renderPage({
    site,
    title: 'Let a program in',
    crumbs: [{ text: 'Let a program in', href: '' }],
    children: (
      <section class="empty card">
        <h1>A program wants to act for you</h1>
        <p>
          It calls itself <strong>{visibleText(client) || 'nothing'}</strong>. The answer goes to{' '}
          <code>{target}</code>.
        </p>
        <p>{`It could do this as ${user.email || user.nickName || user.userId}, as far as you may yourself:`}</p>
        <form method="post" action="/oauth/authorize">
          <input type="hidden" name="request" value={sealed} />
          {MCP_SCOPES.map((scope) => (
            <p>
              <label>
                <input
                  type="checkbox"
                  name="scope"
                  value={scope}
                  checked={scope === 'ci:read' || scopes.includes(scope)}
                  disabled={scope === 'ci:read'}
                />{' '}
                {TITLES[scope]}
              </label>
            </p>
          ))}
          <p>
            <button class="btn" name="answer" value="allow">
              Allow
            </button>{' '}
            <button class="btn" name="answer" value="deny">
              Deny
            </button>
          </p>
        </form>
      </section>
    ),
  })
}

const TITLES: Readonly<Record<McpScope, string>> = {
  'ci:read': 'Read pipelines, runs and output',
  'ci:run': 'Start, stop and repeat runs',
  'ci:approve': 'Approve and reject gates',
  'ci:write': 'Set pipelines',
}
