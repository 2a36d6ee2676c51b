import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AppError } from '../../../src/shared/errors.js'
import { compileExpression } from '../../../src/shared/expressions/compile-expression.js'
import { hostileData, isPlainData, mutated, type Recipe } from '../../helpers/hostile-data.js'
import { VALUES } from './cases.js'
import { ENV, VARIABLES } from './environment.js'
import { EVALUATION_ERRORS } from './errors.js'

const SOURCES = [
  ...Object.values(VALUES).flatMap((cases) => cases.map(([source]) => source)),
  ...EVALUATION_ERRORS.map(([source]) => source),
]

/** Processor time that one source may take: ten times what is promised, for a busy machine. */
const MAX_CPU_MS = 1_000

/** Evaluates, and lets no other error through than the documented ones. */
function tryEvaluate(source: string, env: Readonly<Record<string, unknown>>): void {
  const before = process.cpuUsage()
  try {
    for (const result of ['any', 'string', 'bool'] as const) {
      const value = compileExpression(source, { variables: VARIABLES, result }).evaluate(env)
      assert(isPlainData(value), `a host object in the result of ${source}`)
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { line, column } = error.details
    assert(Number(line) >= 1 && Number(column) >= 1, error.message)
  }
  const { user, system } = process.cpuUsage(before)
  assert((user + system) / 1_000 < MAX_CPU_MS, `${source} took too long`)
}

test('arbitrary text is an expression or an error with a column', () => {
  const tokens = fc.array(
    fc.constantFrom(
      ...'( ) [ ] { } . ?. ?? ? : , ; | # not in and or let x = 1 "a" any map payload + - ** ..'.split(
        ' ',
      ),
    ),
    { maxLength: 30 },
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    tokens.map((words) => words.join(' ')),
  )
  fc.assert(
    fc.property(text, (source) => tryEvaluate(source, ENV)),
    { numRuns: 5_000 },
  )
})

test('a right expression with a wound is an expression or an error with a column', () => {
  fc.assert(
    fc.property(mutated(SOURCES), (source) => tryEvaluate(source, ENV)),
    { numRuns: 10_000 },
  )
})

test('hostile data neither runs nor comes out again', () => {
  const traps = { sprung: 0 }
  const hostile = hostileData(traps)
  const env = fc.record({
    provider: hostile,
    headers: hostile,
    query: hostile,
    payload: hostile,
    Organizations: hostile,
  })
  const sources = fc.oneof(
    fc.constantFrom(...SOURCES),
    fc.constantFrom(
      'payload',
      'headers',
      'keys(payload)',
      'toJSON(payload)',
      'payload == headers',
      'payload in Organizations',
      'sort(Organizations)',
      'flatten(Organizations)',
      'values(payload)',
      'map(Organizations, string(#))',
      'payload.a',
      'payload["__proto__"]',
      'payload.constructor',
      'any(Organizations, # == payload)',
      'len(payload)',
      'string(headers)',
      'fromPairs(Organizations)',
    ),
  )
  fc.assert(
    fc.property(sources, env, (source, recipes) => tryEvaluate(source, made(recipes))),
    { numRuns: 10_000 },
  )
  assert.equal(traps.sprung, 0)
})

function made(recipes: Readonly<Record<string, Recipe>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(recipes).map(([name, recipe]) => [name, recipe()]))
}
