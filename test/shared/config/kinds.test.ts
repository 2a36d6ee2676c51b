import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { boolean, choice, duration, integer, list } from '../../../src/shared/config/kinds.js'

describe('values of flags', () => {
  it('a list is split at commas and repeatable; \\, is a comma', () => {
    assert.deepEqual(list.parse(['a,b', 'c\\,d', ' e ,']), ['a', 'b', 'c,d', 'e'])
    assert.deepEqual(list.parse(['']), [])
  })

  it('of a flag with one value the last counts', () => {
    assert.equal(integer({ min: 0, max: 9 }).parse(['1', '2']), 2)
  })

  it('a boolean is true, false, or an error', () => {
    assert.equal(boolean.parse(['true']), true)
    assert.equal(boolean.parse(['FALSE']), false)
    assert.throws(() => boolean.parse(['maybe']), /expected true or false, got "maybe"/)
  })

  it('a whole number is not what JavaScript would make of the text', () => {
    const kind = integer({ min: 0, max: 100 })
    for (const text of ['', ' ', '1e1', '0x10', '1.0', '٣']) assert.throws(() => kind.parse([text]))
  })

  it('a duration outside its range names the range', () => {
    const kind = duration({ min: '10ms', max: '1m' })
    assert.equal(kind.parse(['1s']), 1_000)
    assert.throws(() => kind.parse(['2m']), /from 10ms to 1m, got "2m"/)
    assert.throws(() => kind.parse(['-1s']), /from 10ms to 1m/)
  })

  it('a choice names the choices', () => {
    assert.throws(() => choice(['a', 'b']).parse(['c']), /expected one of "a", "b", got "c"/)
  })
})
