import { Fault } from '../source-fault.js'
import { LIMITS } from './limits.js'
import type { Dict, Value } from './values.js'

/** One evaluation. */
export interface Frame {
  readonly env: Dict
  /** Values of `let`s and of the pointers of predicates, by the slot that compiling gave them. */
  readonly slots: Value[]
  stepsLeft: number
}

/** Pays for work before it is done. Throws a Fault when the expression has used up its steps. */
export function charge(frame: Frame, steps: number, at: number): void {
  frame.stepsLeft -= steps
  if (frame.stepsLeft < 0 || Number.isNaN(steps))
    throw new Fault(at, `the expression takes more than ${LIMITS.steps} steps`)
}

/** Pays for looking at a text from end to end. */
export function chargeText(frame: Frame, chars: number, at: number): void {
  if (chars > 32) charge(frame, Math.ceil(chars / 32), at)
}

/** Pays for a text that the expression makes. */
export function chargeNewText(frame: Frame, chars: number, at: number): void {
  if (chars > LIMITS.textChars)
    throw new Fault(at, `the text is longer than ${LIMITS.textChars} characters`)
  chargeText(frame, chars, at)
}

/** Pays for a list or map that the expression makes. */
export function chargeNewItems(frame: Frame, count: number, at: number): void {
  if (count > LIMITS.items)
    throw new Fault(at, `the list or map has more than ${LIMITS.items} items`)
  charge(frame, count, at)
}
