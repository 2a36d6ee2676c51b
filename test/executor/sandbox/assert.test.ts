import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGuests, failureOf } from '../../helpers/guest.js'

const { runBody } = createGuests()

describe('assert passes', () => {
  for (const call of [
    'equal({ a: [1, { b: 2 }], c: undefined }, { a: [1, { b: 2 }], c: undefined })',
    'equal(NaN, NaN)',
    'equal(0, -0)',
    'equal(new Map([[1, [2]]]), new Map([[1, [2]]]))',
    'equal(new Date(5), new Date(5))',
    'notEqual(1, 2)',
    'notEqual({ a: 1 }, { a: 2 })',
    'notEqual([], {})',
    'containsString("hello world", "^h\\\\w+")',
    'truthy("x")',
    'containsElement([1, NaN], NaN)',
  ])
    it(call, async () => {
      const { state, calls } = await runBody(`assert.${call}`)
      assert.deepEqual([state, calls], [{ status: 'resolved' }, []])
    })
})

describe('assert fails', () => {
  const failures: [call: string, message: string | RegExp][] = [
    ['equal(1, 2)', 'Not equal: \nexpected: 2\nactual  : 1'],
    ['equal(1, 2, "why")', 'why\nNot equal: \nexpected: 2\nactual  : 1'],
    [
      'equal("a\\nb\\nc", "a\\nx\\nc")',
      'Not equal: \nexpected: "a\\nx\\nc"\nactual  : "a\\nb\\nc"\n\nDiff:\n--- Expected\n+++ Actual\n@@ -1,3 +1,3 @@\n a\n-x\n+b\n c\n',
    ],
    [
      'equal({ a: 1 }, { a: 2 })',
      /Diff:\n--- Expected\n\+\+\+ Actual\n@@ -1,3 \+1,3 @@\n \{\n- {2}"a": 2,\n\+ {2}"a": 1,\n \}\n$/,
    ],
    ['equal({ a: 1 }, { a: 1, b: undefined })', /^Not equal/],
    ['notEqual(1, 1)', 'expected not 1, but got 1'],
    ['notEqual([1], [1], "why")', 'why'],
    ['containsString("abc", "x+")', 'expected "abc" to contain "x+"'],
    ['containsString("abc", "(")', /^invalid regular expression: /],
    ['containsString("aa", "(a)\\\\1")', /^invalid regular expression: /],
    ['truthy(0)', 'expected false to be truthy'],
    ['truthy(0, "why")', 'why'],
    ['containsElement([1], "1")', 'expected array to contain "1"'],
    ['containsElement(null as any, 1)', 'expected array to contain 1'],
  ]
  for (const [call, message] of failures)
    it(call, async () => {
      const result = await runBody(`assert.${call}`)
      const text = failureOf(result).replace('promise rejected: Error: assertion failed: ', '')
      if (typeof message === 'string') assert.equal(text, message)
      else assert.match(text, message)
      const [told] = result.calls
      assert.equal(told?.name, 'assert.failed')
      assert.equal(told.args[0], text)
    })

  it('and tells the host even when the error is swallowed', async () => {
    const { state, calls } = await runBody('try { assert.truthy(0) } catch {} finally {}')
    assert.equal(state.status, 'resolved')
    assert.deepEqual(calls, [{ name: 'assert.failed', args: ['expected false to be truthy'] }])
  })

  it('at the author’s line', async () => {
    const { state } = await runBody('\n  assert.truthy(0)')
    assert.match(
      state.status === 'rejected' ? (state.error.stack ?? '') : '',
      /^ {4}at pipeline \(main\.js:3:\d+\)$/,
    )
  })
})

describe('assert.eventuallyContainsString', () => {
  it('asks again until it matches, other work goes on meanwhile', async () => {
    const { state, calls } = await runBody(
      'let n = 0; await assert.eventuallyContainsString(async () => `n=${n++}`, "n=3", { intervalMs: 10 })',
    )
    assert.equal(state.status, 'resolved')
    assert.deepEqual(
      calls.map(({ name, args }) => [name, args[0]]),
      [
        ['sleep', 10],
        ['sleep', 10],
        ['sleep', 10],
      ],
    )
  })

  const failures: [args: string, message: string][] = [
    ['() => "a", "b", { timeoutMs: 100 }', 'expected "a" to eventually contain "b" within 100ms'],
    ['() => "a", "b", 1500, 500', 'expected "a" to eventually contain "b" within 1.5s'],
    ['() => "a", "b", { timeoutMs: 10, message: "why" }', 'why'],
    ['() => { throw new Error("x") }, "b"', 'eventually getter failed: x'],
    ['"a" as any, "b"', 'expected getter to be a function'],
    [
      'undefined as any, undefined as any',
      'eventuallyContainsString requires at least getter and substr arguments',
    ],
  ]
  for (const [args, message] of failures)
    it(`fails: ${args}`, async () => {
      const result = await runBody(`await assert.eventuallyContainsString(${args})`)
      assert.equal(failureOf(result), `promise rejected: Error: assertion failed: ${message}`)
      assert.match(JSON.stringify(result.state), /main\.js:2/)
    })
})
