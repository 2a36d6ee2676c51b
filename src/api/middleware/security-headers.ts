import type { RequestHandler } from 'express'

const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['X-XSS-Protection', '1; mode=block'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Origin-Agent-Cluster', '?1'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
  ['X-DNS-Prefetch-Control', 'off'],
  ['Permissions-Policy', 'camera=(), microphone=(), geolocation=(), payment=(), usb=()'],
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  ],
  // output and names of runs stay out of caches; assets say otherwise
  ['Cache-Control', 'no-store'],
]

/** Half a year: browsers speak TLS alone with this server then, whatever a link says. */
const TLS_ONLY = ['Strict-Transport-Security', 'max-age=15552000'] as const

/** What every answer carries. No inline script or style runs, and no other site frames a page. */
export function securityHeaders({ isTlsOnly }: { isTlsOnly: boolean }): RequestHandler {
  const headers = isTlsOnly ? [...HEADERS, TLS_ONLY] : HEADERS
  return (_request, response, next) => {
    for (const [name, value] of headers) response.setHeader(name, value)
    next()
  }
}
