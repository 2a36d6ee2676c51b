import { renderPage } from './render-page.js'
import type { Site } from './site.js'

/** Asks before it ends anything: a link alone must not sign anybody out. */
export function renderLogoutPage(site: Site): string {
  return renderPage({
    site,
    title: 'Sign out',
    crumbs: [{ text: 'Sign out', href: '' }],
    children: (
      <section class="empty card">
        <h1>Sign out</h1>
        <form method="post" action="/auth/logout">
          <button class="btn">Sign out here</button>
        </form>
        <form method="post" action="/auth/logout/everywhere">
          <button class="btn danger">Sign out everywhere</button>
        </form>
        <p>Everywhere is every browser and every command line that you have signed in.</p>
      </section>
    ),
  })
}
