import type { DeviceLogin } from '../../shared/db/device-logins.js'
import type { User } from '../../shared/db/users.js'
import type { Provider } from '../auth/providers/provider.js'
import { visibleText } from './log-text.js'
import { renderPage } from './render-page.js'
import type { Site } from './site.js'

export interface ApprovePageProps {
  site: Site
  code: string
  login: DeviceLogin
  /** Who looks at the page; nobody has to sign in first. */
  user: User | undefined
  providers: readonly Provider[]
  /** This page's own path. */
  next: string
}

/** Asks whether a command line is to be let in, and says what asked. */
export function renderApprovePage(props: ApprovePageProps): string {
  const { site, code, login, user, providers, next } = props
  return renderPage({
    site,
    title: 'Command line',
    crumbs: [{ text: 'Command line', href: '' }],
    children: (
      <section class="empty card">
        <h1>A command line wants to sign in</h1>
        <p>
          It asked from <code>{login.address}</code>
          {login.userAgent !== '' && <> as {visibleText(login.userAgent)}</>}. Its code is{' '}
          <code>{code}</code>.
        </p>
        {user ? (
          <>
            <p>{`It could do all that ${user.email || user.nickName || user.userId} may do, for 30 days.`}</p>
            <form method="post" action="/auth/cli/approve">
              <input type="hidden" name="code" value={code} />
              <button class="btn">Approve</button>
            </form>
            <p>
              <a class="btn" href="/">
                Deny
              </a>
            </p>
          </>
        ) : (
          providers.map(({ name, title }) => (
            <p>
              <a class="btn" href={`/auth/${name}?next=${encodeURIComponent(next)}`}>
                {`Sign in with ${title}`}
              </a>
            </p>
          ))
        )}
      </section>
    ),
  })
}

export function renderApprovedPage(site: Site): string {
  return renderPage({
    site,
    title: 'Command line',
    crumbs: [{ text: 'Command line', href: '' }],
    children: (
      <section class="empty card">
        <h1>Approved</h1>
        <p>Return to your terminal.</p>
      </section>
    ),
  })
}
