import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { BUILTINS } from '../../../src/shared/expressions/builtins/table.js'
import { compileExpression } from '../../../src/shared/expressions/compile-expression.js'
import { LIMITS } from '../../../src/shared/expressions/limits.js'
import { PREDICATE_FUNCTIONS } from '../../../src/shared/expressions/syntax.js'
import { repoPath } from '../../helpers/repo.js'
import { VARIABLES } from './environment.js'

const page = readFileSync(repoPath('docs/expressions.md'), 'utf8')

it('every example of docs/expressions.md gives what the page says', () => {
  const env: unknown = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '')
  const rows = [...page.matchAll(/^\| `(.+?)` +\| `(true|false|".*?")` +\|$/gm)]
  assert(rows.length >= 11)
  for (const [, source = '', gives = ''] of rows) {
    const expression = compileExpression(source.replaceAll('\\|', '|'), {
      variables: VARIABLES,
      result: 'any',
    })
    assert.deepEqual(expression.evaluate(env as Record<string, unknown>), JSON.parse(gives), source)
  }
})

it('docs/expressions.md names every function and limit', () => {
  const section = page.slice(page.indexOf('## Functions'), page.indexOf('## Results'))
  const named = new Set([...section.matchAll(/[`(]([a-zA-Z\d]+)/g)].map(([, name]) => name))
  for (const name of [...BUILTINS.keys(), ...PREDICATE_FUNCTIONS]) assert(named.has(name), name)
  for (const limit of Object.values(LIMITS))
    assert(page.includes(limit.toLocaleString('en').replaceAll(',', ' ')), String(limit))
})
