import { BUILTINS } from './builtins/table.js'
import { compilePredicate } from './compile-predicate.js'
import type { Compiled, Compiler, NodeOf, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import { PREDICATE_FUNCTIONS } from './syntax.js'
import { expectType, type ValueType } from './value-type.js'

/** A call of a function from the table; there are no others. */
export function compileCall(compiler: Compiler, node: NodeOf<'call'>, scope: Scope): Compiled {
  const { name, at } = node
  const isPredicate = PREDICATE_FUNCTIONS.has(name) && (node.args.length > 1 || name === 'count')
  if (isPredicate) return compilePredicate(compiler, node, scope)
  const builtin = BUILTINS.get(name)
  if (!builtin) throw unknownFunction(compiler, node, scope)
  const args = node.args.map((arg) => compiler.compile(arg, scope))
  checkArguments(name, builtin, args, at)
  const runs = args.map(({ run }) => run)
  const places = args.map((arg) => arg.at)
  return {
    type: builtin.result,
    at,
    size: args.reduce((sum, { size }) => sum + size, 1),
    run: (frame) => builtin.run({ frame, at, places, values: runs.map((run) => run(frame)) }),
  }
}

function unknownFunction({ variables }: Compiler, node: NodeOf<'call'>, { lets }: Scope): Fault {
  const name = JSON.stringify(node.name)
  if (PREDICATE_FUNCTIONS.has(node.name))
    return new Fault(node.at, `${node.name} takes a list and a predicate`)
  return variables.has(node.name) || lets.has(node.name)
    ? new Fault(node.at, `${name} is not a function`)
    : new Fault(node.at, `unknown function ${name}`)
}

interface Signature {
  params: readonly (readonly ValueType[])[]
  optional: number
  isVariadic: boolean
}

function checkArguments(name: string, signature: Signature, args: Compiled[], at: number): void {
  const { params, optional, isVariadic } = signature
  const least = params.length - optional
  if (args.length < least || (!isVariadic && args.length > params.length)) {
    const wanted = isVariadic || optional > 0 ? `at least ${least}` : `${least}`
    const most = optional > 0 && !isVariadic ? `${least} to ${params.length}` : wanted
    throw new Fault(at, `${name} takes ${most} arguments, not ${args.length}`)
  }
  args.forEach((arg, index) => expectType(arg, ...(params[index] ?? params.at(-1) ?? [])))
}
