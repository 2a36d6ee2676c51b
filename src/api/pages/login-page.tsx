import type { Provider } from '../auth/providers/provider.js'
import { renderPage } from './render-page.js'
import type { Site } from './site.js'

export interface LoginPageProps {
  site: Site
  providers: readonly Provider[]
  /** Where to go then: a path of this server. */
  next: string
  /** Why an attempt failed, as the address has it. */
  error: string | null
}

/** Where people choose who says who they are. */
export function renderLoginPage({ site, providers, next, error }: LoginPageProps): string {
  const query = next === '/' ? '' : `?next=${encodeURIComponent(next)}`
  return renderPage({
    site,
    title: 'Sign in',
    crumbs: [{ text: 'Sign in', href: '' }],
    children: (
      <section class="empty card">
        <h1>Sign in</h1>
        {error !== null && (
          <p class="banner is-failed" role="alert">
            {ERRORS.get(error) ?? FAILED}
          </p>
        )}
        {providers.map(({ name, title }) => (
          <p>
            <a class="btn" href={`/auth/${name}${query}`}>
              {`Sign in with ${title}`}
            </a>
          </p>
        ))}
      </section>
    ),
  })
}

const FAILED = 'The sign-in failed. Try again; the log of the server says why.'
const ERRORS = new Map([['session_failed', 'The browser did not keep the sign-in. Try again.']])
