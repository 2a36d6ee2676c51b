import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '../errors.js'

/** Who native steps run as when the executor is root. */
export interface StepUser {
  name: string
  uid: number
  gid: number
}

/**
 * The local user of a name or number. Throws `native_user_unknown`; a user of a directory service
 * is not found and can be given as a number.
 */
export function getStepUser(name: string): StepUser {
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const entry of entries) {
    const [login = '', , uid = '', gid = ''] = entry.split(':')
    if (login !== '' && (login === name || uid === name))
      return { name: login, uid: Number(uid), gid: Number(gid) }
  }
  if (/^\d{1,9}$/.test(name)) return { name, uid: Number(name), gid: Number(name) }
  throw new AppError('native_user_unknown', `--native-user: there is no user "${name}"`)
}

/** Throws `driver_unavailable` when the user could not reach what is below `dir`. */
export function checkReachable(dir: string, user: StepUser): void {
  for (let path = dir; path !== dirname(path); path = dirname(path)) {
    const { mode, uid, gid } = statSync(path)
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
    if (((mode >> shift) & 1) === 0)
      throw new AppError(
        'driver_unavailable',
        `the user "${user.name}" of native steps cannot enter ${path}: make it enterable (chmod o+x) or set --native-root`,
      )
  }
}
