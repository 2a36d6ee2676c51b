import { sliceCharacters } from '../characters.js'
import type { Compiled, Compiler, NodeOf, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import { chargeNewItems, chargeNewText, chargeText, type Frame } from './frame.js'
import { asInteger, baseOf, expectType, type ValueType } from './value-type.js'
import { isDict, isList, readHeader, readMember, typeName, type Value } from './values.js'

/** What a chain is once a `?.` of it has met nil; compileChain makes nil of it. */
const CUT: Value = Object.freeze({})

export function compileMember(compiler: Compiler, node: NodeOf<'member'>, scope: Scope): Compiled {
  const target = compiler.compile(node.target, scope)
  const key = compiler.compile(node.key, scope)
  const { at, isOptional } = node
  checkMember(target, key, at)
  const read = readerOf(target.type)
  const run = (frame: Frame): Value => {
    const from = target.run(frame)
    if (from === CUT || (from === null && isOptional)) return CUT
    return read(from, key.constant ?? key.run(frame), at)
  }
  return { type: memberType(target.type), at, size: target.size + key.size, run }
}

function checkMember(target: Compiled, key: Compiled, at: number): void {
  const { type } = target
  if (type === 'list') expectType({ type: key.type, at: key.at }, 'number')
  else if (baseOf(type) === 'map') expectType({ type: key.type, at: key.at }, 'string')
  else if (type !== 'any' && type !== 'nil') throw new Fault(at, `a ${type} has no members`)
}

function memberType(target: ValueType): ValueType {
  return target === 'texts' || target === 'headers' ? 'string' : 'any'
}

type Reader = (from: Value, key: Value, at: number) => Value

function readerOf(type: ValueType): Reader {
  if (type === 'headers')
    return (from, key, at) =>
      isDict(from) ? (readHeader(from, asKey(key, at), at) ?? '') : getMember(from, key, at)
  if (type === 'texts') return (from, key, at) => getMember(from, key, at) ?? ''
  return getMember
}

/** A missing key of a map is nil; an index beyond a list is a fault. */
function getMember(from: Value, key: Value, at: number): Value {
  if (isDict(from)) return readMember(from, asKey(key, at), at)
  if (!isList(from)) {
    const what = typeof key === 'string' ? JSON.stringify(key.slice(0, 100)) : 'an item'
    throw new Fault(at, `cannot read ${what} of ${from === null ? 'nil' : `a ${typeName(from)}`}`)
  }
  const index = asInteger(key, at)
  const place = index < 0 ? from.length + index : index
  if (place < 0 || place >= from.length)
    throw new Fault(at, `the index ${index} is beyond a list of ${from.length}`)
  return readMember(from, place, at)
}

function asKey(key: Value, at: number): string {
  if (typeof key === 'string') return key
  throw new Fault(at, `a key of a map is a string, this is a ${typeName(key)}`)
}

export function compileChain(compiler: Compiler, node: NodeOf<'chain'>, scope: Scope): Compiled {
  const body = compiler.compile(node.body, scope)
  const run = (frame: Frame): Value => {
    const value = body.run(frame)
    return value === CUT ? null : value
  }
  return { type: body.type === 'string' ? 'string' : 'any', at: node.at, size: body.size, run }
}

/** `list[from:to]` and `text[from:to]`; texts are cut between characters. */
export function compileSlice(compiler: Compiler, node: NodeOf<'slice'>, scope: Scope): Compiled {
  const target = compiler.compile(node.target, scope)
  const from = node.from && compiler.compile(node.from, scope)
  const to = node.to && compiler.compile(node.to, scope)
  const { at } = node
  expectType({ type: target.type, at }, 'list', 'string')
  for (const bound of [from, to]) if (bound) expectType(bound, 'number')
  const run = (frame: Frame): Value => {
    const whole = target.run(frame)
    if (whole === CUT) return CUT
    const start = from ? asInteger(from.run(frame), from.at) : 0
    const end = to ? asInteger(to.run(frame), to.at) : undefined
    return sliceOf(frame, whole, { start, end, at })
  }
  const size = target.size + (from?.size ?? 0) + (to?.size ?? 0) + 1
  return { type: target.type, at, size, run }
}

interface Bounds {
  start: number
  end: number | undefined
  at: number
}

function sliceOf(frame: Frame, whole: Value, { start, end, at }: Bounds): Value {
  if (typeof whole === 'string') {
    chargeText(frame, whole.length, at)
    const part = sliceCharacters(whole, start, end)
    chargeNewText(frame, part.length, at)
    return part
  }
  if (!isList(whole))
    throw new Fault(at, `cannot slice ${whole === null ? 'nil' : `a ${typeName(whole)}`}`)
  const first = clamp(start < 0 ? whole.length + start : start, whole.length)
  const rest = end ?? whole.length
  const last = clamp(rest < 0 ? whole.length + rest : rest, whole.length)
  const count = Math.max(0, last - first)
  chargeNewItems(frame, count, at)
  return Array.from({ length: count }, (_, index) => readMember(whole, first + index, at))
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most)
}
