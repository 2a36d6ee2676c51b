import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { assetUrl } from '../assets.js'
import type { Site } from './site.js'

export interface PageOptions {
  site: Site
  title: string
  crumbs: readonly Crumb[]
  /** Scripts of the page, by file name; it works without them. */
  scripts?: readonly string[]
  children: ComponentChildren
}

export interface Crumb {
  text: string
  href: string
}

/** A whole HTML document. All text in it is escaped by the renderer. */
export function renderPage(options: PageOptions): string {
  return `<!doctype html>${renderToString(<Document {...options} />)}`
}

function Document({ site, title, crumbs, scripts = [], children }: PageOptions) {
  const { assets, notice, user } = site
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} - PocketCI Server`}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={assetUrl(assets, 'pocketci.css')} />
        {scripts.map((name) => (
          <script type="module" src={assetUrl(assets, name)} />
        ))}
      </head>
      <body>
        <a class="skip" href="#main-content">
          Skip to main content
        </a>
        <header class="bar">
          <a class="brand" href="/pipelines/">
            pocketci
          </a>
          <nav class="crumbs" aria-label="Breadcrumb">
            <ol>
              {crumbs.map(({ text, href }, at) => (
                <li>
                  <a href={href} aria-current={at === crumbs.length - 1 ? 'page' : undefined}>
                    {text}
                  </a>
                </li>
              ))}
            </ol>
          </nav>
          {user !== undefined && (
            <p class="user">
              <span>{user}</span> <a href="/auth/logout">Logout</a>
            </p>
          )}
        </header>
        {notice === undefined ? null : (
          <p class="notice" role="note">
            {notice}
          </p>
        )}
        <main id="main-content" tabIndex={-1} class="page">
          {children}
        </main>
        <div id="toast-container" class="toasts" aria-live="polite" />
      </body>
    </html>
  )
}
