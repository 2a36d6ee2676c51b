import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createByteBudget } from '../../src/api/byte-budget.js'

test('parts are given in order, as they are given back; whoever leaves holds up nobody', async () => {
  const budget = createByteBudget(10)
  const { signal } = new AbortController()
  const order: string[] = []
  const take = async (name: string, bytes: number, given = signal) => {
    const part = await budget.take(bytes, given)
    order.push(name)
    return part
  }
  const first = await take('first', 8)
  const leaving = new AbortController()
  const left = take('left', 9, leaving.signal)
  const second = take('second', 2)
  const third = take('third', 3)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(order, ['first'], 'the small one does not overtake')
  leaving.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  const part = await second
  part[Symbol.dispose]()
  part[Symbol.dispose]()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(order, ['first', 'second'], 'nothing is given back twice')
  first[Symbol.dispose]()
  await third
  await assert.rejects(budget.take(1, leaving.signal), /gone/)
  assert.deepEqual(order, ['first', 'second', 'third'])
})
