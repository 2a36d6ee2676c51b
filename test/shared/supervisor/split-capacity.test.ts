import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { splitCapacity } from '../../../src/shared/supervisor/split-capacity.js'

describe('slots shared by executors', () => {
  for (const [total, executors, shares] of [
    [7, 2, [4, 3]],
    [10, 1, [10]],
    [10, 4, [3, 3, 2, 2]],
    [3, 3, [1, 1, 1]],
  ] as const)
    it(`${total} over ${executors} is ${shares.join(' + ')}`, () =>
      assert.deepEqual(splitCapacity(total, executors), shares))
})
