import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRuns } from '../../../src/shared/db/runs.js'
import { openWriter } from '../../../src/shared/db/writer/open-writer.js'
import { createEffects } from '../../../src/executor/sandbox/effects.js'
import type { ExecutorWrites } from '../../../src/executor/writes.js'
import { CLAIMER, insertPipeline, openForTest, tempStorage } from '../../helpers/storage.js'

const operations = new URL('../../../src/executor/writes.js', import.meta.url)

async function open(t: TestContext) {
  const path = tempStorage(t)
  const db = openForTest(t, path, 'write')
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  runs.insert(
    {
      id: 'r',
      pipelineId: 'p',
      triggerType: 'manual',
      triggeredBy: '',
      triggerInput: {},
      requestId: '',
    },
    1,
  )
  runs.claim({ executorId: 'x', limit: 1, now: 1, leaseTtlMs: 60_000, ...CLAIMER })
  const writer = await openWriter<ExecutorWrites>({ path, operations })
  t.after(() => writer[Symbol.asyncDispose]())
  const failures: unknown[] = []
  const effects = createEffects({
    claim: { runId: 'r', attempt: 1 },
    writer: writer.client,
    now: Date.now,
    changes: () => assert.fail('nothing here waits'),
    signal: new AbortController().signal,
    onFailure: (error) => failures.push(error),
  })
  const journal = () =>
    db
      .prepare<
        [],
        { seq: number; kind: string; effect: number; name: string | null; outcome: string | null }
      >("select seq, kind, effect, name, outcome from journal where run_id = 'r' order by seq")
      .all()
  const steal = () =>
    void runs.claim({ executorId: 'y', limit: 1, now: 10 ** 15, leaseTtlMs: 1, ...CLAIMER })
  return { effects, writer, failures, journal, steal }
}

async function drain(effects: Awaited<ReturnType<typeof open>>['effects']) {
  const seen: string[] = []
  for (;;) {
    const delivery = await effects.next()
    if (!delivery) return seen
    seen.push(`${delivery.type} ${delivery.call}`)
  }
}

test('deliveries leave in journal order, whatever order the actions end in', async (t) => {
  const { effects, journal } = await open(t)
  for (let call = 1; call <= 20; call++)
    effects.perform({
      call,
      name: 'sleep',
      args: [call],
      action: async () => {
        await sleep((call * 7) % 11)
        if (call % 5 === 0) throw new Error(`no ${call}`)
        return { value: call }
      },
    })
  const seen = await drain(effects)
  const rows = journal()
  assert.deepEqual(
    rows.map(({ seq }) => seq),
    rows.map((_, at) => at + 1),
  )
  assert.deepEqual(
    rows.slice(0, 20).map(({ kind, effect }) => [kind, effect]),
    Array.from({ length: 20 }, (_, at) => ['intent', at + 1]),
  )
  const results = rows
    .filter(({ kind }) => kind === 'result')
    .map(({ outcome, effect }) => `${outcome} ${effect}`)
  assert.deepEqual(seen, results)
  assert.equal(results.filter((result) => result.startsWith('reject')).length, 4)
})

test('output enters in order between intent and result', async (t) => {
  const { effects, journal } = await open(t)
  effects.perform({
    call: 1,
    name: 'runtime.run',
    args: [],
    async action(effect) {
      await effect.output('stdout', 'a', 1)
      await effect.output('stderr', 'b', 2)
      return { value: null }
    },
  })
  assert.deepEqual(await drain(effects), ['output 1', 'output 1', 'resolve 1'])
  assert.deepEqual(
    journal().map(({ kind }) => kind),
    ['intent', 'output', 'output', 'result'],
  )
})

test('an effect is on record before its action starts', async (t) => {
  const { effects, journal } = await open(t)
  let atStart: string[] = []
  effects.perform({
    call: 1,
    name: 'x',
    args: [],
    async action() {
      atStart = journal().map(({ kind }) => kind)
      return { value: null }
    },
  })
  await drain(effects)
  assert.deepEqual(atStart, ['intent'])
})

test('once another executor owns the run nothing more is written or delivered', async (t) => {
  const { effects, failures, journal, steal } = await open(t)
  effects.perform({
    call: 1,
    name: 'x',
    args: [],
    async action() {
      steal()
      return { value: null }
    },
  })
  await assert.rejects(effects.next(), { code: 'lease_lost' })
  assert.equal(failures.length, 1)
  assert.deepEqual(
    journal().map(({ kind }) => kind),
    ['intent'],
  )
  await effects.idle()
})

test('a synchronous effect takes its place in the order', async (t) => {
  const { effects, journal } = await open(t)
  effects.perform({ call: 1, name: 'a', args: [], action: async () => ({ value: 1 }) })
  effects.commit(effects.entriesOf('storage.get', ['k'], { outcome: 'resolve', value: 2 }), [])
  await drain(effects)
  assert.deepEqual(
    journal().map(({ kind, name, effect }) => [kind, name, effect]),
    [
      ['intent', 'a', 1],
      ['intent', 'storage.get', 2],
      ['result', null, 2],
      ['result', null, 1],
    ],
  )
})
