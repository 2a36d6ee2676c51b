import { realpathSync } from 'node:fs'
import { AppError } from '../../errors.js'
import { findTools } from '../../native-host/find-tools.js'
import { checkReachable, getStepUser } from '../../native-host/step-user.js'
import { existingPart } from './existing-part.js'
import { fail, ok, warn, type Finding } from './finding.js'

export interface NativeCheck {
  root: string
  user: string
  isAllowed: boolean
  isNeeded: boolean
}

/** What the native driver wants of the machine: programs, a user for its steps, a folder that is theirs. */
export function checkNative({ root, user, isAllowed, isNeeded }: NativeCheck): Finding[] {
  const check = 'native'
  if (!isAllowed) return [ok(check, 'not looked at: --allowed-drivers leaves it out')]
  try {
    const isRoot = process.getuid?.() === 0
    const tools = findTools(isRoot)
    const runsAs = isRoot ? describeUser(user, root) : 'the user of the server'
    if (!tools.tar)
      return [warn(check, 'tar is missing: working directories cannot be unpacked', 'install tar')]
    return [ok(check, `steps run as ${runsAs}, below ${root}`)]
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const advice = 'see "native" in docs/drivers.md'
    return [(isNeeded ? fail : warn)(check, error.message, advice)]
  }
}

function describeUser(name: string, root: string): string {
  const user = getStepUser(name)
  if (user.uid === 0) return 'root, without isolation'
  checkReachable(realpathSync(existingPart(root)), user)
  return `"${user.name}" (--native-user)`
}
