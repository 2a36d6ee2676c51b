import { compileBinary } from './compile-binary.js'
import { compileCall } from './compile-call.js'
import { compileLet, compileName, compilePointer } from './compile-name.js'
import { compileChain, compileMember, compileSlice } from './compile-member.js'
import type { Compiled, Compiler, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import { charge, chargeNewItems } from './frame.js'
import { LIMITS } from './limits.js'
import type { Node } from './syntax.js'
import {
  asBool,
  asNumber,
  asText,
  baseOf,
  eitherType,
  expectType,
  type ValueType,
} from './value-type.js'
import { dictOf, type Value } from './values.js'

/**
 * Makes closures of a tree, so that evaluating walks no tree. Checks what can be known without the
 * data: names, numbers of arguments, types. Throws a Fault.
 */
export function createCompiler(variables: ReadonlyMap<string, ValueType>): Compiler {
  let depth = 0
  let slots = 0
  const compiler: Compiler = {
    variables,
    newSlot: () => slots++,
    compile(node, scope) {
      if (++depth > LIMITS.depth) throw new Fault(node.at, 'the expression is nested too deeply')
      const compiled = compileKind(compiler, node, scope)
      depth--
      return compiled
    },
  }
  return compiler
}

function compileKind(compiler: Compiler, node: Node, scope: Scope): Compiled {
  switch (node.kind) {
    case 'literal':
      return compileLiteral(node)
    case 'name':
      return compileName(compiler, node, scope)
    case 'pointer':
      return compilePointer(node, scope)
    case 'unary':
      return compileUnary(compiler, node, scope)
    case 'binary':
      return compileBinary(compiler, node, scope)
    case 'conditional':
      return compileConditional(compiler, node, scope)
    case 'member':
      return compileMember(compiler, node, scope)
    case 'chain':
      return compileChain(compiler, node, scope)
    case 'slice':
      return compileSlice(compiler, node, scope)
    case 'call':
      return compileCall(compiler, node, scope)
    case 'let':
      return compileLet(compiler, node, scope)
    case 'list':
      return compileList(compiler, node, scope)
    case 'map':
      return compileMap(compiler, node, scope)
  }
}

type Of<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>

function compileLiteral({ at, value }: Of<'literal'>): Compiled {
  const types = { boolean: 'bool', number: 'number', string: 'string', object: 'nil' } as const
  const type = types[typeof value as keyof typeof types]
  return { type, at, size: 1, constant: value, run: () => value }
}

function compileUnary(compiler: Compiler, node: Of<'unary'>, scope: Scope): Compiled {
  const operand = compiler.compile(node.operand, scope)
  const { run } = operand
  const { at } = node
  const size = operand.size + 1
  if (node.operator === 'not') {
    expectType({ type: operand.type, at }, 'bool')
    return { type: 'bool', at, size, run: (frame) => !asBool(run(frame), at) }
  }
  expectType({ type: operand.type, at }, 'number')
  const sign = node.operator === '-' ? -1 : 1
  return { type: 'number', at, size, run: (frame) => sign * asNumber(run(frame), at) }
}

function compileConditional(compiler: Compiler, node: Of<'conditional'>, scope: Scope): Compiled {
  const condition = compiler.compile(node.condition, scope)
  const whenTrue = compiler.compile(node.whenTrue, scope)
  const whenFalse = compiler.compile(node.whenFalse, scope)
  const { at } = node.condition
  expectType({ type: condition.type, at }, 'bool')
  return {
    type: eitherType(whenTrue.type, whenFalse.type),
    at: node.at,
    size: condition.size + whenTrue.size + whenFalse.size,
    run: (frame) => (asBool(condition.run(frame), at) ? whenTrue.run(frame) : whenFalse.run(frame)),
  }
}

function compileList(compiler: Compiler, { items, at }: Of<'list'>, scope: Scope): Compiled {
  const compiled = items.map((item) => compiler.compile(item, scope))
  const runs = compiled.map((item) => item.run)
  return {
    type: 'list',
    at,
    size: sizeOf(compiled),
    run(frame) {
      charge(frame, runs.length, at)
      return runs.map((run) => run(frame))
    },
  }
}

function compileMap(compiler: Compiler, { entries, at }: Of<'map'>, scope: Scope): Compiled {
  const keys = entries.map(({ key }) => compiler.compile(key, scope))
  const values = entries.map(({ value }) => compiler.compile(value, scope))
  for (const key of keys) expectType(key, 'string')
  return {
    type: 'map',
    at,
    size: sizeOf([...keys, ...values]),
    run(frame) {
      chargeNewItems(frame, keys.length, at)
      return dictOf(
        keys.map((key, index): [string, Value] => [
          asText(key.run(frame), key.at),
          values[index]?.run(frame) ?? null,
        ]),
      )
    },
  }
}

function sizeOf(parts: readonly Compiled[]): number {
  return parts.reduce((sum, { size }) => sum + size, 1)
}

/** The type that a result of this kind must have, or a Fault. */
export function expectResult(compiled: Compiled, result: 'bool' | 'string' | 'any'): void {
  if (result === 'bool' && compiled.type !== 'any' && compiled.type !== 'bool')
    throw new Fault(
      compiled.at,
      `the expression is to be true or false, this is a ${baseOf(compiled.type)}`,
    )
}
