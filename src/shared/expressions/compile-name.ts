import { BUILTINS } from './builtins/table.js'
import type { Compiled, Compiler, NodeOf, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import type { Frame } from './frame.js'
import { PREDICATE_FUNCTIONS } from './syntax.js'
import type { ValueType } from './value-type.js'
import { readMember, type Value } from './values.js'

/** A `let`, else a variable of the environment. */
export function compileName(
  { variables }: Compiler,
  { name, at }: NodeOf<'name'>,
  { lets }: Scope,
): Compiled {
  const local = lets.get(name)
  if (local) return readSlot(local.slot, local.type, at)
  const type = variables.get(name)
  if (type === undefined) throw new Fault(at, `unknown name ${JSON.stringify(name)}`)
  const missing = emptyOf(type)
  const run = (frame: Frame): Value => readMember(frame.env, name, at) ?? missing
  return { type, at, size: 1, run }
}

/** `#`, `#index` and `#acc`. */
export function compilePointer({ name, at }: NodeOf<'pointer'>, { pointers }: Scope): Compiled {
  const slot = pointers.get(name)
  if (slot === undefined) throw new Fault(at, `unknown pointer "#${name}"`)
  return readSlot(slot, name === 'index' ? 'number' : 'any', at)
}

function readSlot(slot: number, type: ValueType, at: number): Compiled {
  return { type, at, size: 1, run: (frame) => frame.slots[slot] ?? null }
}

export function compileLet(compiler: Compiler, node: NodeOf<'let'>, scope: Scope): Compiled {
  const { name, at } = node
  refuseTaken(compiler, node, scope)
  const value = compiler.compile(node.value, scope)
  const slot = compiler.newSlot()
  const lets = new Map(scope.lets).set(name, { slot, type: value.type })
  const body = compiler.compile(node.body, { ...scope, lets })
  return {
    type: body.type,
    at,
    size: value.size + body.size,
    run(frame) {
      frame.slots[slot] = value.run(frame)
      return body.run(frame)
    },
  }
}

/** A name stands for one thing in the whole expression. */
function refuseTaken({ variables }: Compiler, { name, at }: NodeOf<'let'>, { lets }: Scope): void {
  if (variables.has(name) || lets.has(name) || BUILTINS.has(name) || PREDICATE_FUNCTIONS.has(name))
    throw new Fault(at, `the name ${JSON.stringify(name)} is taken`)
}

/** What a variable is that the environment does not have. */
function emptyOf(type: ValueType): Value {
  switch (type) {
    case 'string':
      return ''
    case 'texts':
    case 'headers':
      return Object.freeze({})
    case 'any':
    case 'nil':
    case 'bool':
    case 'number':
    case 'list':
    case 'map':
      return null
  }
}
