import { compileLinearPattern, type LinearPattern } from '../linear-pattern.js'
import { errorMessage } from '../errors.js'
import { areEqual, compareValues } from './compare.js'
import type { Compiled, Compiler, NodeOf, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import { charge, chargeNewItems, chargeNewText, chargeText, type Frame } from './frame.js'
import {
  asBool,
  asInteger,
  asNumber,
  asText,
  baseOf,
  eitherType,
  expectType,
  mayBe,
  type ValueType,
} from './value-type.js'
import { isDict, isList, readHeader, readMember, typeName, type Value } from './values.js'

interface Operands {
  left: Compiled
  right: Compiled
  at: number
}

export function compileBinary(compiler: Compiler, node: NodeOf<'binary'>, scope: Scope): Compiled {
  const left = compiler.compile(node.left, scope)
  const right = compiler.compile(node.right, scope)
  const { at, operator } = node
  const operands = { left, right, at }
  const of = (type: ValueType, run: Compiled['run']): Compiled => ({
    type,
    at,
    size: left.size + right.size + 1,
    run,
  })
  switch (operator) {
    case 'or':
    case 'and':
      return of('bool', logic(operands, operator))
    case '==':
    case '!=':
      return of('bool', equality(operands, operator === '=='))
    case '<':
      return of(
        'bool',
        ordering(operands, (order) => order < 0),
      )
    case '<=':
      return of(
        'bool',
        ordering(operands, (order) => order <= 0),
      )
    case '>':
      return of(
        'bool',
        ordering(operands, (order) => order > 0),
      )
    case '>=':
      return of(
        'bool',
        ordering(operands, (order) => order >= 0),
      )
    case 'in':
      return of('bool', membership(operands))
    case 'contains':
      return of(
        'bool',
        textTest(operands, (text, part) => text.includes(part)),
      )
    case 'startsWith':
      return of(
        'bool',
        textTest(operands, (text, part) => text.startsWith(part)),
      )
    case 'endsWith':
      return of(
        'bool',
        textTest(operands, (text, part) => text.endsWith(part)),
      )
    case 'matches':
      return of('bool', matching(operands))
    case '..':
      return of('list', range(operands))
    case '+':
      return of(sumType(operands), sum(operands))
    case '-':
      return of(
        'number',
        arithmetic(operands, (a, b) => a - b),
      )
    case '*':
      return of(
        'number',
        arithmetic(operands, (a, b) => a * b),
      )
    case '/':
      return of(
        'number',
        arithmetic(operands, (a, b) => a / b),
      )
    case '**':
      return of(
        'number',
        arithmetic(operands, (a, b) => a ** b),
      )
    case '%':
      return of(
        'number',
        arithmetic(operands, (a, b) => remainder(a, b, at)),
      )
    case '??':
      return of(eitherType(left.type, right.type), coalesce(operands))
  }
}

function logic({ left, right, at }: Operands, operator: 'or' | 'and'): Compiled['run'] {
  expectType({ type: left.type, at }, 'bool')
  expectType({ type: right.type, at }, 'bool')
  return operator === 'or'
    ? (frame) => asBool(left.run(frame), left.at) || asBool(right.run(frame), right.at)
    : (frame) => asBool(left.run(frame), left.at) && asBool(right.run(frame), right.at)
}

function equality({ left, right, at }: Operands, isEqual: boolean): Compiled['run'] {
  if (!mayBe(left.type, right.type) && left.type !== 'nil' && right.type !== 'nil')
    throw mismatch(left, right, at)
  return (frame) => areEqual(frame, left.run(frame), right.run(frame), at) === isEqual
}

function mismatch(left: Compiled, right: Compiled, at: number): Fault {
  return new Fault(at, `a ${baseOf(left.type)} is never a ${baseOf(right.type)}`)
}

function ordering(
  { left, right, at }: Operands,
  test: (order: number) => boolean,
): Compiled['run'] {
  for (const { type } of [left, right]) expectType({ type, at }, 'number', 'string')
  if (!mayBe(left.type, right.type)) throw mismatch(left, right, at)
  return (frame) => test(compareValues(frame, left.run(frame), right.run(frame), at))
}

/** An item of a list, or a key of a map; nothing is in nil. */
function membership({ left, right, at }: Operands): Compiled['run'] {
  expectType({ type: right.type, at }, 'list', 'map', 'nil')
  if (baseOf(right.type) === 'map') expectType({ type: left.type, at }, 'string')
  const isHeaders = right.type === 'headers'
  return (frame) => {
    const [item, group] = [left.run(frame), right.run(frame)]
    if (group === null) return false
    if (isList(group)) return hasItem(frame, group, item, at)
    if (!isDict(group)) throw new Fault(at, `nothing is in a ${typeName(group)}`)
    if (typeof item !== 'string') return false
    return isHeaders ? readHeader(group, item, at) !== null : Object.hasOwn(group, item)
  }
}

function hasItem(frame: Frame, list: readonly unknown[], item: Value, at: number): boolean {
  for (let index = 0; index < list.length; index++) {
    charge(frame, 1, at)
    if (areEqual(frame, readMember(list, index, at), item, at)) return true
  }
  return false
}

/** False where either side is nil, as in expr-lang. */
function textTest(
  { left, right, at }: Operands,
  test: (text: string, part: string) => boolean,
): Compiled['run'] {
  for (const { type } of [left, right]) if (type !== 'nil') expectType({ type, at }, 'string')
  return (frame) => {
    const [text, part] = [left.run(frame), right.run(frame)]
    if (text === null || part === null) return false
    const whole = asText(text, at)
    chargeText(frame, whole.length, at)
    return test(whole, asText(part, at))
  }
}

/** A literal pattern is compiled, and refused, once. */
function matching({ left, right, at }: Operands): Compiled['run'] {
  for (const { type } of [left, right]) if (type !== 'nil') expectType({ type, at }, 'string')
  const constant = right.constant
  const fixed = typeof constant === 'string' ? patternOf(constant, right.at) : undefined
  return (frame) => {
    const [text, source] = [left.run(frame), right.run(frame)]
    if (text === null || source === null) return false
    const pattern = fixed ?? compileLate(frame, asText(source, right.at), right.at)
    const whole = asText(text, at)
    // a step of the pattern at a character may take 25 ns, a quarter of a step of the expression
    charge(frame, Math.ceil((pattern.size * whole.length) / 4), at)
    return pattern.test(whole)
  }
}

function patternOf(source: string, at: number): LinearPattern {
  try {
    return compileLinearPattern(source)
  } catch (error) {
    throw new Fault(at, errorMessage(error), { cause: error })
  }
}

function compileLate(frame: Frame, source: string, at: number): LinearPattern {
  charge(frame, source.length * 50, at)
  const pattern = patternOf(source, at)
  charge(frame, pattern.size * 100, at)
  return pattern
}

function range({ left, right, at }: Operands): Compiled['run'] {
  for (const { type } of [left, right]) expectType({ type, at }, 'number')
  return (frame) => {
    const from = asInteger(left.run(frame), left.at)
    const to = asInteger(right.run(frame), right.at)
    const count = Math.max(0, to - from + 1)
    chargeNewItems(frame, count, at)
    return Array.from({ length: count }, (_, index) => from + index)
  }
}

function sumType({ left, right, at }: Operands): ValueType {
  for (const { type } of [left, right]) expectType({ type, at }, 'number', 'string')
  if (!mayBe(left.type, right.type))
    throw new Fault(at, `${left.type} and ${right.type} cannot be added`)
  return left.type === 'any' ? right.type : left.type
}

function sum({ left, right, at }: Operands): Compiled['run'] {
  return (frame) => {
    const [a, b] = [left.run(frame), right.run(frame)]
    if (typeof a === 'number' && typeof b === 'number') return a + b
    if (typeof a !== 'string' || typeof b !== 'string')
      throw new Fault(at, `${typeName(a)} and ${typeName(b)} cannot be added`)
    chargeNewText(frame, a.length + b.length, at)
    return a + b
  }
}

function arithmetic(
  { left, right, at }: Operands,
  calculate: (a: number, b: number) => number,
): Compiled['run'] {
  for (const { type } of [left, right]) expectType({ type, at }, 'number')
  return (frame) => calculate(asNumber(left.run(frame), at), asNumber(right.run(frame), at))
}

function remainder(a: number, b: number, at: number): number {
  if (!Number.isInteger(a) || !Number.isInteger(b)) throw new Fault(at, '% is for integers')
  if (b === 0) throw new Fault(at, 'division by zero')
  return (a % b) + 0
}

function coalesce({ left, right }: Operands): Compiled['run'] {
  return (frame) => left.run(frame) ?? right.run(frame)
}
