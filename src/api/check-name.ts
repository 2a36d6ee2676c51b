import { AppError } from '../shared/errors.js'

const MAX_CHARS = 255

/** A name is a part of paths and is shown everywhere. Throws `request_invalid`. */
export function checkName(what: 'pipeline' | 'job', name: string): void {
  const fault = findFault(name)
  if (fault) throw new AppError('request_invalid', `invalid ${what} name: ${fault}`)
}

function findFault(name: string): string | undefined {
  if (name.length > MAX_CHARS) return `it has ${name.length} characters, of ${MAX_CHARS} at most`
  if (name.includes('/')) return 'it must not contain "/"'
  if (/\p{Cc}/u.test(name)) return 'it must not contain control characters'
  if (name.trim() === '') return 'it is blank'
  // URLs resolve these away
  if (name === '.' || name === '..') return `"${name}" is not a name`
  return undefined
}
