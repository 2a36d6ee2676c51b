/** Stands for this server, whatever its name is. */
const SELF = 'http://self.invalid'

/** Longer ones are no page of ours. */
const MAX_CHARS = 2_000

/** Where to go after a sign-in: a page of this server, or the first one for whatever leads elsewhere. */
export function nextPath(given: string | null | undefined): string {
  if (!given?.startsWith('/') || given.length > MAX_CHARS || !URL.canParse(given, SELF)) return '/'
  const { origin, pathname, search } = new URL(given, SELF)
  // a path that begins with two slashes would be another server's name to a browser
  return origin === SELF && !pathname.startsWith('//') ? `${pathname}${search}` : '/'
}
