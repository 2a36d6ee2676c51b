import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { SERVER_FLAGS } from '../../../src/shared/config/server-flags.js'
import { ERROR_CODES } from '../../../src/shared/errors.js'
import { repoPath } from '../../helpers/repo.js'

const rowsOf = (path: string): string[][] =>
  readFileSync(repoPath(path), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))

describe('the documentation', () => {
  it('lists every flag with its variable, default and meaning', () => {
    const rows = new Map(
      rowsOf('docs/configuration.md')
        .filter(([, name]) => name?.startsWith('--'))
        .map(([, name = '', ...cells]) => [name, cells.slice(0, 2)]),
    )
    for (const [name, flag] of Object.entries(SERVER_FLAGS)) {
      const [env, byDefault] = rows.get(`--${name}`) ?? []
      assert.equal(env, 'env' in flag ? flag.env : '', name)
      if ('default' in flag)
        assert.equal(byDefault, flag.default === 'false' ? 'off' : flag.default, name)
    }
    assert.deepEqual(
      [...rows.keys()].filter((name) => !(name.slice(2) in SERVER_FLAGS)),
      [],
    )
  })

  it('explains every error code', () => {
    const documented = rowsOf('docs/errors.md').map(([, code = '']) => code)
    assert.deepEqual(new Set(documented), new Set<string>(ERROR_CODES))
    assert.equal(documented.length, ERROR_CODES.length)
  })
})
