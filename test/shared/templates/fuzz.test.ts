import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AppError } from '../../../src/shared/errors.js'
import { compileTemplate } from '../../../src/shared/templates/compile-template.js'
import { hostileData, mutated } from '../../helpers/hostile-data.js'
import { DATA, RENDERED } from './cases.js'
import { RENDER_ERRORS } from './errors.js'

const SOURCES = [
  ...Object.values(RENDERED).flatMap((cases) => cases.map(([source]) => source)),
  ...RENDER_ERRORS.map(([source]) => source),
]

/** Processor time that one template may take: ten times what is promised, for a busy machine. */
const MAX_CPU_MS = 1_000

/** Renders, and lets no other error through than the documented ones. */
function tryRender(source: string, data: unknown): void {
  const before = process.cpuUsage()
  try {
    for (const missing of ['empty', 'no value'] as const)
      assert.equal(
        typeof compileTemplate(source, { missing, isFixed: false }).render(data),
        'string',
      )
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { line, column } = error.details
    assert(Number(line) >= 1 && Number(column) >= 1, error.message)
  }
  const { user, system } = process.cpuUsage(before)
  assert((user + system) / 1_000 < MAX_CPU_MS, `${source} took too long`)
}

test('arbitrary text is a template or an error with a place', () => {
  const words =
    '{{ }} {{- -}} if else end range with define template block break . .a $ $x := = | ( ) "a" 1 nil print index and /* */'
  const tokens = fc.array(fc.constantFrom(...words.split(' ')), { maxLength: 40 })
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    tokens.map((each) => each.join(' ')),
    tokens.map((each) => `{{${each.join(' ')}}}`),
  )
  fc.assert(
    fc.property(text, (source) => tryRender(source, DATA)),
    { numRuns: 5_000 },
  )
})

test('a right template with a wound is a template or an error with a place', () => {
  fc.assert(
    fc.property(mutated(SOURCES), (source) => tryRender(source, DATA)),
    { numRuns: 10_000 },
  )
})

test('functions take any arguments, and any number of them', () => {
  const names = [...new Set(SOURCES.join(' ').match(/\b[a-z][A-Za-z\d]+\b/g) ?? [])]
  const value = fc.constantFrom(
    '.',
    '.List',
    '.Map',
    '.Nil',
    '.Name',
    '-1',
    '0',
    '3',
    '1.5',
    '"a"',
    '""',
    'true',
    '(list 1 "a")',
    '(dict "a" 1)',
    '1e300',
    '-1e300',
    '1e15',
  )
  const call = fc
    .tuple(fc.constantFrom(...names), fc.array(value, { maxLength: 4 }))
    .map(([name, values]) => `{{${name} ${values.join(' ')}}}`)
  fc.assert(
    fc.property(call, (source) => tryRender(source, DATA)),
    { numRuns: 10_000 },
  )
})

test('hostile data is not run', () => {
  const traps = { sprung: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(...SOURCES, '{{.}}', '{{toJson .}}'),
      hostileData(traps),
      (source, recipe) => tryRender(source, recipe()),
    ),
    { numRuns: 5_000 },
  )
  assert.equal(traps.sprung, 0)
})
