import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError, type ErrorCode } from '../../../src/shared/errors.js'
import {
  compileExpression,
  type ResultTypes,
} from '../../../src/shared/expressions/compile-expression.js'
import { VALUES } from './cases.js'
import { DIFFERENCES } from './differences.js'
import { ENV, VARIABLES } from './environment.js'
import { COMPILE_ERRORS, EVALUATION_ERRORS } from './errors.js'

function evaluate<Kind extends keyof ResultTypes>(
  source: string,
  result: Kind,
  env: Readonly<Record<string, unknown>> = ENV,
): ResultTypes[Kind] {
  return compileExpression(source, { variables: VARIABLES, result }).evaluate(env)
}

function fails(work: () => unknown, code: ErrorCode, column: number, reason: RegExp): void {
  assert.throws(work, (error: unknown) => {
    assert(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(String(error.details['reason']), reason)
    assert.equal(error.details['column'], column, error.message)
    return true
  })
}

for (const [topic, cases] of Object.entries(VALUES))
  describe(`as in expr-lang: ${topic}`, () => {
    for (const [source, expected] of cases)
      it(source, () => assert.deepEqual(evaluate(source, 'any'), expected))
  })

describe('other than in expr-lang', () => {
  for (const [source, expected] of DIFFERENCES)
    it(source, () => assert.deepEqual(evaluate(source, 'any'), expected))
})

describe('a source that cannot be compiled is refused with the column of the fault', () => {
  for (const [source, column, reason] of COMPILE_ERRORS)
    it(JSON.stringify(source), () =>
      fails(() => evaluate(source, 'any'), 'expression_invalid', column, reason),
    )
})

describe('an evaluation fails with the column of the fault', () => {
  for (const [source, column, reason] of EVALUATION_ERRORS)
    it(source, () => {
      const expression = compileExpression(source, { variables: VARIABLES, result: 'any' })
      fails(() => expression.evaluate(ENV), 'expression_failed', column, reason)
    })
})

describe('the result', () => {
  it('of a filter is a bool: what can never be one is refused, what is none fails', () => {
    assert.equal(evaluate('provider == "github"', 'bool'), true)
    assert.equal(evaluate('payload.pull_request.merged', 'bool'), true)
    fails(() => evaluate('provider', 'bool'), 'expression_invalid', 1, /this is a string/)
    fails(() => evaluate('nil', 'bool'), 'expression_invalid', 1, /true or false/)
    fails(() => evaluate('payload.ref', 'bool'), 'expression_failed', 9, /this is a string/)
    fails(() => evaluate('payload.missing', 'bool'), 'expression_failed', 9, /this is nil/)
  })

  it('of a parameter is a text of any value', () => {
    const texts: [string, string][] = [
      ['payload.ref', 'refs/heads/main'],
      ['payload.number', '42'],
      ['payload.number / 8', '5.25'],
      ['1000000 * 1000000', '1000000000000'],
      ['10 ** 21', '1000000000000000000000'],
      ['payload.draft', 'false'],
      ['payload.missing', ''],
      ['payload.labels', '["bug","urgent","deploy"]'],
      ['payload.pull_request', '{"merged":true,"number":7,"user":{"login":"ann"}}'],
      ['1 / 0', '+Inf'],
      ['-1 / 0', '-Inf'],
      ['0 / 0', 'NaN'],
    ]
    for (const [source, text] of texts) assert.equal(evaluate(source, 'string'), text)
  })

  it('of any kind is a copy', () => {
    const labels = evaluate('payload.labels', 'any')
    assert.deepEqual(labels, ENV.payload.labels)
    assert.notEqual(labels, ENV.payload.labels)
  })
})

describe('the environment', () => {
  it('may lack variables: texts are empty, all else is nil', () => {
    const source = '[provider, headers["a"], query.b, payload, Organizations]'
    assert.deepEqual(evaluate(source, 'any', {}), ['', '', '', null, null])
    assert.equal(evaluate('"acme" in Organizations', 'bool', {}), false)
  })

  it('is read by own names alone', () => {
    const payload = Object.create({ inherited: 1 }) as object
    fails(() => evaluate('payload.inherited', 'any', { payload }), 'expression_failed', 1, /plain/)
    assert.equal(evaluate('payload.toString', 'any', { payload: {} }), null)
    assert.equal(evaluate('payload.a.constructor', 'any', { payload: { a: {} } }), null)
  })

  it('may have keys that are names of the language of the host', () => {
    const payload: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": "c"}')
    assert.equal(evaluate('payload.__proto__.a', 'any', { payload }), 1)
    assert.equal(evaluate('payload["constructor"]', 'any', { payload }), 'c')
    const copy = evaluate('payload', 'any', { payload })
    assert.deepEqual(Object.keys(copy as object), ['__proto__', 'constructor'])
    assert.equal(Object.getPrototypeOf(copy), Object.prototype)
  })

  it('runs nothing: getters, functions, Proxies and class instances are faults', () => {
    const touched: string[] = []
    const proxy = new Proxy({}, { get: () => touched.push('get'), has: () => true })
    const getter = Object.defineProperty({}, 'a', { get: () => touched.push('getter') })
    const values = { proxy, getter, fn: () => touched.push('fn'), date: new Date(), map: new Map() }
    const payload: Record<string, unknown> = { ...values, big: 1n, list: [proxy], symbol: Symbol() }
    const sources = Object.keys(payload).map((key) => `payload.${key}`)
    for (const source of [...sources, 'payload.getter.a', 'payload.list[0]', 'payload'])
      if (source !== 'payload.getter' && source !== 'payload.list')
        assert.throws(() => evaluate(source, 'any', { payload }), {
          code: 'expression_failed',
          message: /plain data/,
        })
    assert.throws(() => evaluate('provider', 'any', proxy), { code: 'expression_failed' })
    assert.deepEqual(touched, [])
  })
})

describe('the limits', () => {
  const over = (source: string, reason: RegExp): void => {
    assert.throws(
      () => evaluate(source, 'any'),
      (error: unknown) => {
        assert(error instanceof AppError, String(error))
        assert.match(error.message, reason)
        return true
      },
    )
  }

  it('of the source', () => {
    over(`"${'a'.repeat(8_192)}"`, /longer than 8192 characters/)
    assert.equal(evaluate(`"${'a'.repeat(8_190)}"`, 'string').length, 8_190)
  })

  it('of the depth, in every direction', () => {
    over('('.repeat(500) + '1' + ')'.repeat(500), /nested too deeply/)
    over('['.repeat(500), /nested too deeply/)
    over('-'.repeat(500) + '1', /nested too deeply/)
    over('1' + '+1'.repeat(500), /nested too deeply/)
    over('1' + '**1'.repeat(500), /nested too deeply/)
    over('payload' + '.a'.repeat(500), /nested too deeply/)
    over('true' + ' ? true'.repeat(500), /nested too deeply/)
    over('let a = '.repeat(500), /nested too deeply/)
    over('"a"' + ' | upper()'.repeat(500), /nested too deeply/)
    assert.equal(evaluate('1' + '+1'.repeat(150), 'any'), 151)
  })

  it('of the steps, whatever the loop', () => {
    const many = 'let l = 1..10000; '
    over(`${many}any(l, any(l, # == 0))`, /more than 1000000 steps/)
    over(`${many}count(l, # in l) > 0`, /more than 1000000 steps/)
    over(`${many}map(l, sort(l))`, /more than 1000000 steps/)
    over(`${many}reduce(l, concat([#], l))`, /more than 1000000 steps/)
    over(`${many}any(l, l == concat(l, []) and false)`, /more than 1000000 steps/)
    over(`let t = repeat("a", 1000000); any(1..1000, t contains "b")`, /more than 1000000 steps/)
    over(`let t = repeat("a", 1000000); t matches "(a*)*b"`, /more than 1000000 steps/)
    over(`let t = repeat("a", 1000000); map(1..1000, t + "b")`, /more than 1000000 steps/)
    over(`any(1..100000, "a" matches ("(x{100}){9}" + string(#)))`, /more than 1000000 steps/)
  })

  it('of what is made', () => {
    over('repeat("ab", 600000)', /longer than 1048576 characters/)
    over('let t = repeat("a", 1000000); t + t', /longer than 1048576 characters/)
    over('replace(repeat("a", 100000), "a", repeat("b", 100))', /longer than 1048576/)
    over('join(map(1..100000, "a long enough text"), ",")', /longer than 1048576/)
    over('let a = 1..60000; concat(a, a)', /more than 100000 items/)
    over('split(repeat("a,", 100001), ",")', /more than 100000 items/)
    const doubling = Array.from({ length: 40 }, (_, n) => `let l${n + 1} = [l${n}, l${n}]; `)
    over(`let l0 = [1]; ${doubling.join('')}l40`, /more than 1000000 steps/)
    over(`let l0 = [1]; ${doubling.join('')}l40 == [l39, l39]`, /more than 1000000 steps/)
    over(`let l0 = [1]; ${doubling.join('')}flatten(l40)`, /more than 1000000 steps/)
  })

  it('of the depth of data: 10 000 deep JSON is read, but not compared or copied', () => {
    const payload: unknown = JSON.parse('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000))
    assert.equal(evaluate('payload.a.a.a != nil', 'bool', { payload }), true)
    assert.throws(() => evaluate('payload == payload.a', 'bool', { payload }), {
      code: 'expression_failed',
      message: /nested too deeply/,
    })
    assert.throws(() => evaluate('payload', 'string', { payload }), {
      message: /nested too deeply/,
    })
  })

  it('leave a large body alone', () => {
    const body = 'x'.repeat(25_000_000)
    assert.equal(evaluate('body contains "y"', 'bool', { body }), false)
  })
})

describe('an error of a source of several lines', () => {
  it('names the line and the column in it', () => {
    assert.throws(() => evaluate('provider == "github" and\n  nope == 1', 'bool'), {
      message: 'line 2, column 3: unknown name "nope"',
      details: { line: 2, column: 3, reason: 'unknown name "nope"' },
    })
  })
})
