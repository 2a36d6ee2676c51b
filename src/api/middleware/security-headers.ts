import type { RequestHandler } from 'express'

const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['X-XSS-Protection', '1; mode=block'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  ],
  // output and names of runs stay out of caches; assets say otherwise
  ['Cache-Control', 'no-store'],
]

/** What every answer carries. No inline script or style runs, and no other site frames a page. */
export function securityHeaders(): RequestHandler {
  return (_request, response, next) => {
    for (const [name, value] of HEADERS) response.setHeader(name, value)
    next()
  }
}
