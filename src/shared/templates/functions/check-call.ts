import { Fault } from '../../source-fault.js'
import { FUNCTIONS } from './table.js'

/** Refuses a function that is not there, and a number of arguments that it does not take. */
export function checkCall({ name, at }: { name: string; at: number }, count?: number): void {
  const found = FUNCTIONS.get(name)
  if (!found) throw new Fault(at, `the function ${JSON.stringify(name)} is not defined`)
  if (count === undefined) return
  const { least, most } = found
  if (count >= least && count <= most) return
  const wanted =
    most === least ? `${least}` : `${least} ${most === Infinity ? 'or more' : `to ${most}`}`
  throw new Fault(at, `${name} takes ${wanted} arguments, not ${count}`)
}
