import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createAttempts } from '../../helpers/attempts.js'
import { chooseSeed } from '../../helpers/random.js'
import { comparable, startsOf } from './compare.js'
import { parallelOf, pipelineOf } from './pipelines.js'

const attempts = createAttempts()
const isLong = Boolean(process.env['POCKETCI_TEST_LONG'])
const seed = chooseSeed()
const AWAITS = 20
/** Random pipelines, and every which position of their journals. */
const PIPELINES = isLong ? 25 : 2
const STRIDE = isLong ? 1 : 4
const REPLAYS = isLong ? 1_000 : 100

for (const [at, source] of fc.sample(pipelineOf(AWAITS), { seed, numRuns: PIPELINES }).entries())
  test(`a kill at any position of its journal changes nothing about pipeline ${at} of seed ${seed}`, async (t) => {
    const whole = await attempts.open(t, source)
    assert.deepEqual(await whole.attempt({ onlyJournal: true }), { status: 'success' }, source)
    const expected = resultOf(whole)
    const positions = whole.operations()
    assert.ok(positions >= 2 * AWAITS, `${positions} journal writes`)
    for (let dieAt = 1; dieAt <= positions; dieAt += STRIDE)
      for (const dieWhen of ['before', 'after'] as const)
        await t.test(`${dieWhen} write ${dieAt}`, async (t) => {
          const run = await attempts.open(t, source)
          const first = await run.attempt({ dieAt, dieWhen, onlyJournal: true })
          assert.equal(first.status, 'died')
          assert.deepEqual(await run.attempt(), { status: 'success' }, source)
          assert.deepEqual(resultOf(run), expected, source)
        })
  })

test(`${REPLAYS} replays of async functions over a list never differ (seed ${seed})`, async (t) => {
  const waits = fc.array(fc.nat(9), { minLength: 3, maxLength: 12 })
  let replays = 0
  for (let at = 0; replays < REPLAYS; at++) {
    const [list = []] = fc.sample(waits, { seed: seed + at, numRuns: 1 })
    replays += await replayAgainAndAgain(t, parallelOf(list))
  }
  t.diagnostic(`${replays} replays`)
})

/** An executor dies at every other write to the journal until the run ends; answers the replays. */
async function replayAgainAndAgain(t: TestContext, source: string): Promise<number> {
  const whole = await attempts.open(t, source)
  assert.deepEqual(await whole.attempt(), { status: 'success' }, source)
  const run = await attempts.open(t, source)
  let replays = 0
  for (;;) {
    const end = await run.attempt({ dieAt: 2, dieWhen: 'after', onlyJournal: true })
    if (end.status !== 'died') {
      assert.deepEqual(end, { status: 'success' }, source)
      assert.deepEqual(resultOf(run), resultOf(whole), source)
      return replays
    }
    replays++
  }
}

type TestRun = Awaited<ReturnType<typeof attempts.open>>

/** What it printed, its task tree and what was started. */
function resultOf(run: TestRun) {
  const { lines, ...rest } = run.summary()
  return { lines, tree: comparable(rest), starts: startsOf(run) }
}
