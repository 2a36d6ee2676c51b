import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAttemptLimit } from '../../../src/api/auth/attempt-limit.js'

const refuses = (limit: ReturnType<typeof createAttemptLimit>, address: string): boolean => {
  try {
    limit.check(address)
    return false
  } catch {
    return true
  }
}

test('addresses count apart, those of one IPv6 network together', () => {
  const limit = createAttemptLimit({ now: () => 0, max: 2 })
  limit.fail('192.0.2.1')
  limit.fail('::ffff:192.0.2.1')
  limit.fail('2001:db8:1:2::1')
  limit.fail('2001:0DB8:0001:2:ffff:ffff:ffff:ffff')
  assert.ok(refuses(limit, '192.0.2.1'))
  assert.ok(!refuses(limit, '192.0.2.2'))
  assert.ok(refuses(limit, '2001:db8:1:2:3::'))
  assert.ok(!refuses(limit, '2001:db8:1:3::1'))
})

test('only so many addresses are remembered', () => {
  const limit = createAttemptLimit({ now: () => 0, max: 1, maxAddresses: 3 })
  for (const address of ['a', 'b', 'c', 'd']) limit.fail(address)
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((address) => refuses(limit, address)),
    [false, true, true, true],
  )
})

test('a try counts for a minute from the first', () => {
  let time = 0
  const limit = createAttemptLimit({ now: () => time, max: 2 })
  limit.fail('a')
  time = 59_000
  limit.fail('a')
  assert.throws(() => limit.check('a'), { code: 'too_many_attempts', details: { retryAfter: 1 } })
  time = 60_000
  assert.ok(!refuses(limit, 'a'))
})
