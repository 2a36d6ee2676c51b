import type { Frame } from './frame.js'
import type { Node } from './syntax.js'
import type { ValueType } from './value-type.js'
import type { Value } from './values.js'

/** A part of an expression, ready to be evaluated. */
export interface Compiled {
  type: ValueType
  at: number
  /** Its parts: the steps that a loop pays for evaluating it once. */
  size: number
  /** The value of a literal. */
  constant?: Value
  run(frame: Frame): Value
}

/** The names that an expression can see at one place. */
export interface Scope {
  readonly lets: ReadonlyMap<string, { slot: number; type: ValueType }>
  /** Slots of the innermost predicate; its item is ''. */
  readonly pointers: ReadonlyMap<string, number>
}

/** What the parts of the compiler share; they call one another through it. */
export interface Compiler {
  readonly variables: ReadonlyMap<string, ValueType>
  newSlot(): number
  compile(node: Node, scope: Scope): Compiled
}

export type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>
