import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { compileTemplate } from '../../../src/shared/templates/compile-template.js'
import { FUNCTIONS } from '../../../src/shared/templates/functions/table.js'
import { LIMITS } from '../../../src/shared/templates/limits.js'
import { repoPath } from '../../helpers/repo.js'

const page = readFileSync(repoPath('docs/templates.md'), 'utf8')

it('every example of docs/templates.md renders what the page says', () => {
  const data: unknown = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '')
  const examples = page.slice(page.indexOf('| template'), page.indexOf('## The language'))
  const rows = [...examples.matchAll(/^\| `(.+?)` +\| `(.+?)` +\|$/gm)]
  assert.equal(rows.length, 9)
  for (const [, source = '', renders] of rows) {
    const template = compileTemplate(source.replaceAll('\\|', '|'), {
      missing: 'empty',
      isFixed: true,
    })
    assert.equal(template.render(data), renders, source)
  }
})

it('docs/templates.md names every function, no other, and every limit', () => {
  const section = page.slice(page.indexOf('## Functions'), page.indexOf('## Limits'))
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'))
  const named = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  const [musts, names] = [new Set<string>(), new Set<string>()]
  for (const name of FUNCTIONS.keys()) (name.startsWith('must') ? musts : names).add(name)
  assert.equal(named.length, names.size)
  assert.deepEqual(new Set(named), names)
  for (const must of musts)
    assert(named.includes(`${must.charAt(4).toLowerCase()}${must.slice(5)}`), must)
  for (const limit of Object.values(LIMITS))
    assert(page.includes(limit.toLocaleString('en').replaceAll(',', ' ')), String(limit))
})
