import type { Request, Response } from 'express'

export interface CookieOptions {
  path: string
  maxAgeMs: number
  isSecure: boolean
}

/** The value of a cookie; of several with one name the first, which has the longest path. */
export function readCookie({ headers }: Request, name: string): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

/** No script reads it, and no other site's request carries it but for a link that somebody follows. */
export function setCookie(
  response: Response,
  name: string,
  value: string,
  { path, maxAgeMs, isSecure }: CookieOptions,
): void {
  const maxAge = Math.floor(maxAgeMs / 1_000)
  const secure = isSecure ? '; Secure' : ''
  response.appendHeader(
    'Set-Cookie',
    `${name}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`,
  )
}
