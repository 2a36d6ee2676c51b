import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDeclarations, resolveInputs } from '../../../src/shared/contract/inputs.js'

const DECLARED = parseDeclarations({
  name: { type: 'string', default: 'x' },
  count: { type: 'number' },
  fast: { type: 'boolean', default: true },
  env: { type: 'choice', choices: ['a', 'b'], required: true },
})

describe('parseDeclarations', () => {
  const refused: [string, unknown, RegExp][] = [
    ['a list', [], /^inputs: /],
    ['another type', { a: { type: 'date' } }, /^inputs\.a\.type: /],
    ['an unknown member', { a: { type: 'string', defualt: 'x' } }, /^inputs\.a: .*defualt/],
    ['a default of another type', { a: { type: 'number', default: '1' } }, /^inputs\.a\.default: /],
    ['a choice without choices', { a: { type: 'choice', choices: [] } }, /^inputs\.a\.choices: /],
    [
      'a default that is no choice',
      { a: { type: 'choice', choices: ['x'], default: 'y' } },
      /^inputs\.a\.default: it is not one of the choices$/,
    ],
    [
      'a choice twice',
      { a: { type: 'choice', choices: ['x', 'x'] } },
      /^inputs\.a\.choices: one is there twice$/,
    ],
    [
      'a required input with a default',
      { a: { type: 'string', required: true, default: 'x' } },
      /^inputs\.a\.default: a required input has none$/,
    ],
    ['a strange name', { 'a b': { type: 'string' } }, /^inputs\.a b: a name begins with a letter/],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`i${at}`, { type: 'string' }])),
      /^inputs: at most 50 inputs$/,
    ],
  ]
  for (const [what, value, message] of refused)
    it(`refuses ${what}, with the name of the input`, () => {
      assert.throws(() => parseDeclarations(value), { code: 'pipeline_invalid', message })
    })
})

describe('resolveInputs', () => {
  it('fills in defaults and leaves out what nobody gave', () => {
    assert.deepEqual(resolveInputs(DECLARED, { env: 'b' }), { name: 'x', fast: true, env: 'b' })
  })

  it('takes numbers and booleans as texts, and gives them as what they are', () => {
    const given = { name: '', count: '4.5', fast: 'false', env: 'a' }
    assert.deepEqual(resolveInputs(DECLARED, given), {
      name: '',
      count: 4.5,
      fast: false,
      env: 'a',
    })
  })

  const refused: [Record<string, string | number | boolean>, string][] = [
    [{}, 'inputs.env: it is required'],
    [{ env: 'c' }, 'inputs.env: expected one of a, b, got "c"'],
    [{ env: 'a', count: 'many' }, 'inputs.count: expected a number, got "many"'],
    [{ env: 'a', count: '' }, 'inputs.count: expected a number, got ""'],
    [{ env: 'a', count: true }, 'inputs.count: expected a number, got true'],
    [{ env: 'a', fast: 'yes' }, 'inputs.fast: expected true or false, got "yes"'],
    [{ env: 'a', name: 7 }, 'inputs.name: expected a string, got 7'],
    [
      { env: 'a', toString: 'x' },
      'inputs.toString: there is no such input; there are: name, count, fast, env',
    ],
  ]
  for (const [given, message] of refused)
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(() => resolveInputs(DECLARED, given), { code: 'request_invalid', message })
    })

  it('says that a pipeline declares none', () => {
    assert.throws(() => resolveInputs({}, { a: 'x' }), {
      message: 'inputs.a: the pipeline declares no inputs',
    })
  })
})
