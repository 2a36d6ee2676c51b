import { Fault } from '../source-fault.js'
import type { Value } from './values.js'

/** 1 for ascending, -1 for descending. */
export function sortOrder(order: Value | undefined, at: number): 1 | -1 {
  if (order === undefined || order === 'asc') return 1
  if (order === 'desc') return -1
  throw new Fault(at, 'the order is "asc" or "desc"')
}
