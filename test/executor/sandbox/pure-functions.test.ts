import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPureFunctions } from '../../../src/executor/sandbox/pure-functions.js'

const functions = createPureFunctions()

function call(name: string, ...args: unknown[]): unknown {
  const pure = functions[name]
  assert.ok(pure)
  return pure(args)
}

function timed(work: () => unknown): number {
  const startedAt = performance.now()
  assert.throws(work)
  return performance.now() - startedAt
}

describe('regex.test', () => {
  it('matches anywhere, with RE2 semantics', () => {
    assert.equal(call('regex.test', 'b+', 'abba'), true)
    assert.equal(call('regex.test', '^b', 'abba'), false)
    assert.equal(call('regex.test', '(?i)ABBA', 'abba'), true)
    assert.equal(call('regex.test', '\\pL+\\d', 'é1'), true)
    for (const pattern of ['a(?=b)', '(a)\\1', '(', 'a{2000}', '('.repeat(1_500)])
      assert.throws(() => call('regex.test', pattern, 'ab'), /^Error: invalid regular expression: /)
  })

  it('stays linear where backtracking would not', () => {
    assert.equal(call('regex.test', '^(a+)+$', `${'a'.repeat(50_000)}b`), false)
    assert.equal(call('regex.test', '(x+x+)+y', 'x'.repeat(50_000)), false)
  })

  it('refuses patterns and texts that cost too much together', () => {
    const text = 'a'.repeat(8_388_608)
    assert.ok(timed(() => call('regex.test', '[a-z]{100}z', text)) < 200)
    assert.ok(timed(() => call('regex.test', 'a'.repeat(5_000), 'a')) < 200)
  })

  it('wants strings', () => {
    for (const args of [[], ['a'], [1, 'a'], ['a', { length: 1 }]])
      assert.throws(() => call('regex.test', ...args), /a pattern and a text are expected/)
  })
})

describe('yaml.parse', () => {
  it('parses YAML 1.2 with merge keys', () => {
    assert.deepEqual(
      call('yaml.parse', 'a: &x {n: 1}\nb: {<<: *x, m: [yes, ~, 0o10, 2001-01-01]}'),
      {
        a: { n: 1 },
        b: { n: 1, m: ['yes', null, 8, '2001-01-01'] },
      },
    )
    assert.equal(call('yaml.parse', ''), null)
  })

  it('keeps hostile keys as data', () => {
    const value = call('yaml.parse', '__proto__: {polluted: 1}\nconstructor: 2') as object
    assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal(({} as { polluted?: number }).polluted, undefined)
  })

  it('says where the error is', () => {
    assert.throws(() => call('yaml.parse', 'a:\n  - [b'), /^Error: yaml\.parse: .*line 2, column 7/)
    assert.throws(
      () => call('yaml.parse', 'a: 1\nb: {c: 1, c: 2}'),
      /^Error: yaml\.parse: Map keys must be unique at line 2, column 11/,
    )
  })

  it('bounds size, aliases and nesting', () => {
    assert.throws(() => call('yaml.parse', 'a'.repeat(300_000)), /larger than 262144 bytes/)
    const laugh = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) =>
      pair.split(''),
    ))
      laugh.push(`${name}: &${name} [${Array(9).fill(`*${of}`).join(', ')}]`)
    assert.ok(timed(() => call('yaml.parse', laugh.join('\n'))) < 1_000)
    const shared = `a: &a [${'x,'.repeat(60_000)}]\nb: [${'*a,'.repeat(90)}]`
    assert.throws(() => call('yaml.parse', shared), /too large once its aliases are followed/)
    for (const deep of ['['.repeat(100_000), '- '.repeat(100_000), '{a: '.repeat(50_000)])
      assert.throws(() => call('yaml.parse', deep), /^Error: yaml\.parse: /)
  })

  it('takes its largest documents within a slice', () => {
    const keys = Array.from({ length: 16_000 }, (_, index) => `key${index}: v`)
    const startedAt = performance.now()
    call('yaml.parse', keys.join('\n'))
    assert.ok(performance.now() - startedAt < 1_000)
  })
})

describe('yaml.stringify', () => {
  it('sorts keys at every level and repeats what is shared', () => {
    const shared = { y: 1, x: 2 }
    assert.equal(
      call('yaml.stringify', { b: shared, a: [shared] }),
      'a:\n  - x: 2\n    y: 1\nb:\n  x: 2\n  y: 1\n',
    )
    assert.equal(call('yaml.stringify', null), 'null\n')
    assert.equal(call('yaml.stringify'), 'null\n')
  })

  it('bounds its input', () => {
    assert.throws(() => call('yaml.stringify', 'x'.repeat(300_000)), /larger than 262144 bytes/)
  })

  it('round-trips', () => {
    const value = { a: ['1', 1, true, 'true', null, 'null', ''], b: { 'x: y': '# no' } }
    assert.deepEqual(call('yaml.parse', String(call('yaml.stringify', value))), value)
  })
})
