/** Follows links and keeps cookies, one jar for each server, as a browser does; it runs no script. */
export interface HttpBrowser {
  /** Loads a page; redirects are followed unless told otherwise. */
  open(url: string, init?: OpenOptions): Promise<Page>
  /** The cookies of a server. */
  jar(url: string): Map<string, string>
}

export interface OpenOptions {
  method?: string
  headers?: Record<string, string>
  body?: string | URLSearchParams
  follows?: boolean
}

export interface Page {
  /** Where it is in the end. */
  url: string
  status: number
  headers: Headers
  text: string
}

export function createHttpBrowser(): HttpBrowser {
  const jars = new Map<string, Map<string, string>>()
  const jar = (url: string): Map<string, string> => {
    const { host } = new URL(url)
    const found = jars.get(host) ?? new Map<string, string>()
    jars.set(host, found)
    return found
  }

  return {
    jar,
    async open(url, { follows = true, headers, ...init } = {}) {
      const cookies = [...jar(url)].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url, {
        ...init,
        headers: { accept: 'text/html', ...(cookies && { cookie: cookies }), ...headers },
        redirect: 'manual',
      })
      for (const line of response.headers.getSetCookie()) keep(jar(url), line)
      const location = response.headers.get('location')
      if (follows && location !== null) {
        await response.arrayBuffer()
        return this.open(new URL(location, url).href)
      }
      return {
        url,
        status: response.status,
        headers: response.headers,
        text: await response.text(),
      }
    },
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
  if (/;\s*max-age=0\b/i.test(line)) jar.delete(name)
  else jar.set(name, value)
}

/** The address that a link with this text leads to. */
export function linkOf({ text, url }: Page, label: string): string {
  const pattern = new RegExp(`href="([^"]*)"[^>]*>${label}<`)
  const href = pattern.exec(text)?.[1]
  if (href === undefined) throw new Error(`no link ${label} in ${text}`)
  return new URL(href.replaceAll('&amp;', '&'), url).href
}
