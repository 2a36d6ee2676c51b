import { siteFor, type Site } from './site.js'
import { actorOf } from '../route-table.js'
import type { ErrorPage } from '../middleware/errors.js'
import { idOf } from '../middleware/request-id.js'
import { renderPage } from './render-page.js'

/** Errors as a page for those who opened one; the API and everything else get JSON. */
export function errorPage(site: Site): ErrorPage {
  return (request, status, text) => {
    const isPage = !/^\/(api|static)(\/|$)/.test(request.path)
    if (!isPage || !request.headers.accept?.includes('text/html')) return undefined
    return renderPage({
      site: siteFor(site, actorOf(request)),
      title: status === 403 ? 'Access Denied' : text,
      crumbs: [{ text: 'Pipelines', href: '/pipelines/' }],
      children: (
        <section class="empty card">
          <h1>{status === 403 ? 'Access Denied' : text}</h1>
          {status === 403 && (
            <p>You do not have permission to access this page. The server says: {text}.</p>
          )}
          <p>
            Error {status}, request <code>{idOf(request)}</code>.
          </p>
          <p>
            <a class="btn" href="/pipelines/">
              To the pipelines
            </a>
          </p>
        </section>
      ),
    })
  }
}
