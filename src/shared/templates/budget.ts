import { Fault } from '../source-fault.js'
import { LIMITS } from './limits.js'

/** What one rendering has left. */
export interface Budget {
  steps: number
}

/** Pays for work before it is done. Throws a Fault when the steps are used up. */
export function charge(budget: Budget, steps: number, at: number): void {
  budget.steps -= steps
  if (budget.steps < 0) throw new Fault(at, `the template takes more than ${LIMITS.steps} steps`)
}

/** Pays for a text that is made, or looked at from end to end. */
export function chargeText(budget: Budget, chars: number, at: number): void {
  if (chars > LIMITS.textChars)
    throw new Fault(at, `a text is longer than ${LIMITS.textChars} characters`)
  charge(budget, Math.ceil(chars / 16), at)
}

/** Pays for a list or map that is made. */
export function chargeItems(budget: Budget, count: number, at: number): void {
  if (count > LIMITS.items) throw new Fault(at, `a list has more than ${LIMITS.items} items`)
  charge(budget, count, at)
}
