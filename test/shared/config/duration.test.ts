import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDuration } from '../../../src/shared/config/duration.js'

describe('Go duration text', () => {
  const good: [string, number][] = [
    ['0', 0],
    ['5s', 5_000],
    ['1h30m', 5_400_000],
    ['2.5s', 2_500],
    ['.5s', 500],
    ['1.s', 1_000],
    ['100ms', 100],
    ['250us', 0.25],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['10ns', 0.00001],
    ['-3s', -3_000],
    ['+3s', 3_000],
    ['1h1m1s1ms', 3_661_001],
    ['168h', 604_800_000],
  ]
  for (const [text, ms] of good)
    it(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms))

  for (const text of [
    '',
    '5',
    '1.5',
    's',
    '5 s',
    '5S',
    '1d',
    '1h 5m',
    '--1s',
    '.s',
    '1..5s',
    '3000000h',
    '1s\n',
  ])
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parseDuration(text), undefined))
})
