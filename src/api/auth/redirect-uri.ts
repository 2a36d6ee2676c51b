import { isLoopback } from '../../shared/loopback.js'

const MAX_CHARS = 1_000

/** A host that may stand in a header as it is. */
const HOST = /^(?:[a-z0-9.-]+|\[[0-9a-f:]+\])$/

/** Schemes that make a browser run or show something instead of handing over to a program. */
const NO_APPS = new Set(
  'javascript data vbscript file filesystem blob about view-source http https ws wss ftp mailto tel'.split(
    ' ',
  ),
)

/** Whether a browser may be sent there with a code: https, a program on its own machine, or an app's scheme. */
export function isRedirectUri(text: string): boolean {
  if (text.length > MAX_CHARS || !URL.canParse(text)) return false
  const { protocol, hostname, username, password, hash } = new URL(text)
  if (hash !== '' || text.includes('#') || username !== '' || password !== '') return false
  const scheme = protocol.slice(0, -1)
  if (scheme === 'https') return HOST.test(hostname)
  if (scheme === 'http') return isLoopback(hostname.replace(/^\[|\]$/g, ''))
  return !NO_APPS.has(scheme) && /^[a-z][a-z0-9.+-]*$/.test(scheme)
}

/** How the content policy of a page names the place that a form may lead to. */
export function formTargetOf(redirectUri: string): string {
  const { protocol, origin } = new URL(redirectUri)
  return protocol === 'https:' || protocol === 'http:' ? origin : protocol
}

/** For people: who gets the code. */
export function nameTarget(redirectUri: string): string {
  const { protocol, host, hostname } = new URL(redirectUri)
  if (protocol === 'https:') return host
  if (protocol !== 'http:') return `the app of ${protocol}//`
  return `a program on this computer (${hostname})`
}

/** A redirect with some more parameters in its query. */
export function addToRedirect(redirectUri: string, params: Record<string, string>): string {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value)
  return url.href
}
