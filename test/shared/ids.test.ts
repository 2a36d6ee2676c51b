import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newRunId } from '../../src/shared/ids.js'

test('a run id is 21 characters of which the first is no dash, and none comes twice', () => {
  const ids = Array.from({ length: 5_000 }, () => newRunId())
  // one in 64 would begin with a dash, and a command line would take it for a flag
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_][A-Za-z0-9_-]{20}$/)
  assert.equal(new Set(ids).size, ids.length)
})
