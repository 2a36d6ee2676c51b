/** What was looked at, what it is like, and what to do when that is not good. */
export interface Finding {
  /** In a few words: `database`, `port`. */
  check: string
  /** `fail`: a server does not work like this. `warn`: it does, but not as well as it could. */
  status: 'ok' | 'warn' | 'fail'
  message: string
  /** Never with `ok`. */
  advice?: string
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

export function warn(check: string, message: string, advice: string): Finding {
  return { check, status: 'warn', message, advice }
}

export function fail(check: string, message: string, advice: string): Finding {
  return { check, status: 'fail', message, advice }
}
