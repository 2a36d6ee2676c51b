import { compareValues } from './compare.js'
import type { Compiled, Compiler, NodeOf, Scope } from './compiled.js'
import { Fault } from '../source-fault.js'
import { charge, type Frame } from './frame.js'
import { sortOrder } from './sort-order.js'
import type { Node } from './syntax.js'
import { asBool, asNumber, asText, expectType, type ValueType } from './value-type.js'
import { dictOf, isList, type List, readMember, typeName, type Value } from './values.js'

/** One call over one list, as it is evaluated. */
interface Loop {
  frame: Frame
  list: List
  at: number
  /** The predicate at an item. */
  test(index: number): boolean
  value(index: number): Value
  /** The third argument, evaluated once. */
  third: Value | undefined
  accumulator: number
}

interface PredicateFunction {
  /** Of the predicate. */
  wants: ValueType
  result: ValueType
  run(loop: Loop): Value
}

const FUNCTIONS: ReadonlyMap<string, PredicateFunction> = new Map<string, PredicateFunction>([
  ['all', { wants: 'bool', result: 'bool', run: (loop) => findFrom(loop, false) === -1 }],
  ['any', { wants: 'bool', result: 'bool', run: (loop) => findFrom(loop, true) !== -1 }],
  ['none', { wants: 'bool', result: 'bool', run: (loop) => findFrom(loop, true) === -1 }],
  ['one', { wants: 'bool', result: 'bool', run: (loop) => passing(loop).length === 1 }],
  ['count', { wants: 'bool', result: 'number', run: (loop) => passing(loop).length }],
  ['filter', { wants: 'bool', result: 'list', run: filter }],
  ['map', { wants: 'any', result: 'list', run: (loop) => indexes(loop).map(loop.value) }],
  ['sum', { wants: 'number', result: 'number', run: sum }],
  ['find', { wants: 'bool', result: 'any', run: (loop) => itemAt(loop, findFrom(loop, true)) }],
  ['findIndex', { wants: 'bool', result: 'any', run: (loop) => indexOrNil(findFrom(loop, true)) }],
  ['findLast', { wants: 'bool', result: 'any', run: (loop) => itemAt(loop, findLast(loop)) }],
  ['findLastIndex', { wants: 'bool', result: 'any', run: (loop) => indexOrNil(findLast(loop)) }],
  ['groupBy', { wants: 'any', result: 'map', run: groupBy }],
  ['sortBy', { wants: 'any', result: 'list', run: sortBy }],
  ['reduce', { wants: 'any', result: 'any', run: reduce }],
])
const TAKES_THIRD = new Set(['sortBy', 'reduce'])

/** `any(list, predicate)` and its kin: an expression for each item of a list. */
export function compilePredicate(compiler: Compiler, node: NodeOf<'call'>, scope: Scope): Compiled {
  const { name, at } = node
  const fn = FUNCTIONS.get(name)
  if (!fn) throw new Error(`no predicate function ${name}`)
  const [listNode, bodyNode, thirdNode, extra] = node.args
  if (!listNode || extra || (thirdNode && !TAKES_THIRD.has(name)))
    throw new Fault(at, `${name} takes a list and a predicate`)
  const list = compiler.compile(listNode, scope)
  expectType(list, 'list')
  const slots = { item: compiler.newSlot(), index: compiler.newSlot(), acc: compiler.newSlot() }
  const body = compileBody(compiler, bodyNode, { scope, slots, isReduce: name === 'reduce' })
  if (body) expectType(body, fn.wants)
  const third = thirdNode && compiler.compile(thirdNode, scope)
  return {
    type: fn.result,
    at,
    size: list.size + (body?.size ?? 0) + (third?.size ?? 0) + 1,
    run(frame) {
      const items = list.run(frame)
      if (!isList(items))
        throw new Fault(
          list.at,
          `a list is expected, this is ${items === null ? 'nil' : `a ${typeName(items)}`}`,
        )
      const value = (index: number): Value => {
        charge(frame, 1 + (body?.size ?? 0), at)
        const item = readMember(items, index, list.at)
        if (!body) return item
        frame.slots[slots.item] = item
        frame.slots[slots.index] = index
        return body.run(frame)
      }
      const test = (index: number): boolean => asBool(value(index), body?.at ?? at)
      return fn.run({
        frame,
        list: items,
        at: body?.at ?? at,
        test,
        value,
        third: third?.run(frame),
        accumulator: slots.acc,
      })
    },
  }
}

interface BodyPlace {
  scope: Scope
  slots: { item: number; index: number; acc: number }
  isReduce: boolean
}

function compileBody(
  compiler: Compiler,
  node: Node | undefined,
  { scope, slots, isReduce }: BodyPlace,
): Compiled | undefined {
  if (!node) return undefined
  const pointers = new Map([
    ['', slots.item],
    ['index', slots.index],
  ])
  if (isReduce) pointers.set('acc', slots.acc)
  return compiler.compile(node, { ...scope, pointers })
}

function indexes({ frame, list, at }: Loop): number[] {
  charge(frame, list.length, at)
  return Array.from({ length: list.length }, (_, index) => index)
}

/** The first index where the predicate is this, or -1. */
function findFrom({ list, test }: Loop, wanted: boolean): number {
  for (let index = 0; index < list.length; index++) if (test(index) === wanted) return index
  return -1
}

function findLast({ list, test }: Loop): number {
  let index = list.length - 1
  while (index >= 0 && !test(index)) index--
  return index
}

function indexOrNil(index: number): Value {
  return index === -1 ? null : index
}

function itemAt({ list, at }: Loop, index: number): Value {
  return index === -1 ? null : readMember(list, index, at)
}

function passing(loop: Loop): number[] {
  return indexes(loop).filter(loop.test)
}

function filter(loop: Loop): List {
  return passing(loop).map((index) => itemAt(loop, index))
}

function sum(loop: Loop): number {
  return indexes(loop).reduce((total, index) => total + asNumber(loop.value(index), loop.at), 0)
}

function groupBy(loop: Loop): Value {
  const groups = new Map<string, Value[]>()
  charge(loop.frame, loop.list.length * 4, loop.at)
  for (const index of indexes(loop)) {
    const key = asText(loop.value(index), loop.at)
    const group = groups.get(key)
    if (group) group.push(itemAt(loop, index))
    else groups.set(key, [itemAt(loop, index)])
  }
  return dictOf(groups)
}

function sortBy(loop: Loop): List {
  const keyed = indexes(loop).map((index) => ({ key: loop.value(index), index }))
  const order = sortOrder(loop.third, loop.at)
  charge(loop.frame, keyed.length * Math.ceil(Math.log2(keyed.length + 1)), loop.at)
  return keyed
    .toSorted((a, b) => order * compareValues(loop.frame, a.key, b.key, loop.at))
    .map(({ index }) => itemAt(loop, index))
}

/** Starts with the third argument, or with the first item. */
function reduce(loop: Loop): Value {
  const { frame, list, accumulator, third } = loop
  if (list.length === 0 && third === undefined) throw new Fault(loop.at, 'the list is empty')
  let result = third === undefined ? itemAt(loop, 0) : third
  for (let index = third === undefined ? 1 : 0; index < list.length; index++) {
    frame.slots[accumulator] = result
    result = loop.value(index)
  }
  return result
}
