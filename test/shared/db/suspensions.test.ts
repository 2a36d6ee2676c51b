import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createOperations } from '../../../src/executor/writes.js'
import { createGates } from '../../../src/shared/db/gates.js'
import { createRuns } from '../../../src/shared/db/runs.js'
import { createSuspensions, type Wait } from '../../../src/shared/db/suspensions.js'
import { createTriggeredRuns } from '../../../src/shared/db/triggered-runs.js'
import { CLAIMER, insertPipeline, openForTest, tempStorage } from '../../helpers/storage.js'

const CLAIM = { runId: 'a', attempt: 1 }

/** A claimed run `a` with a gate, and operations of its executor. */
function open(t: TestContext) {
  const db = openForTest(t, tempStorage(t), 'write')
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  const insert = (id: string) =>
    runs.insert(
      {
        ...{ id, pipelineId: 'p', triggerType: 'manual', triggeredBy: '' },
        ...{ triggerInput: {}, requestId: '' },
      },
      1,
    )
  const claim = (now: number): string[] =>
    runs.claim({ executorId: 'x', limit: 9, now, leaseTtlMs: 100, ...CLAIMER }).map(({ id }) => id)
  insert('a')
  assert.deepEqual(claim(10), ['a'])
  const gates = createGates(db)
  const gate = { id: 'g', number: 1, name: 'g', message: '', approvers: [], timeoutMs: 500 }
  gates.insert(gate, 'a', 10)
  return { db, runs, gates, insert, claim, operations: createOperations(db) }
}

const atGate = (dueAt: number | null): Wait => ({
  on: { type: 'gate', number: 1 },
  reason: 'gate',
  dueAt,
})
const forRun = (id: string): Wait => ({ on: { type: 'run', id }, reason: `run ${id}`, dueAt: null })

test('a suspended run counts neither as running nor as queued, and is claimed at its due time', (t) => {
  const { db, runs, claim, operations } = open(t)
  const waits = [atGate(510)]
  assert.equal(operations.suspend({ claim: CLAIM, waits, now: 20 }), 'suspended')
  assert.deepEqual([runs.countRunning(9), runs.countQueued(9)], [0, 0])
  assert.equal(runs.find('a')?.waitReason, 'gate')
  assert.equal(createSuspensions(db).findNextDue(100), 510)
  assert.equal(createSuspensions(db).findNextDue(510), undefined)
  assert.deepEqual(claim(509), [])
  assert.deepEqual(claim(510), ['a'])
  assert.equal(db.prepare('select suspended from runs').pluck().get(), 0)
})

test('what has happened before a run is suspended is not waited for', (t) => {
  const { gates, claim, operations } = open(t)
  gates.expire('a', 510)
  assert.equal(operations.suspend({ claim: CLAIM, waits: [atGate(null)], now: 20 }), 'suspended')
  assert.deepEqual(claim(20), ['a'])
})

test('the end of an awaited run wakes its caller, however it ends; others do not', (t) => {
  for (const end of ['finish', 'fail', 'delete'] as const) {
    const { db, runs, insert, claim, operations } = open(t)
    for (const id of ['awaited', 'other']) insert(id)
    const call = { error: '', isAwaited: true }
    createTriggeredRuns(db).insert('a', { ...call, number: 1, childId: 'awaited' })
    createTriggeredRuns(db).insert('a', { ...call, number: 2, childId: 'other', isAwaited: false })
    assert.equal(
      operations.suspend({ claim: CLAIM, waits: [forRun('awaited')], now: 20 }),
      'suspended',
    )
    assert.deepEqual(claim(20), ['awaited', 'other'])
    assert.ok(runs.finish({ runId: 'other', attempt: 1 }, { status: 'success' }, 30))
    assert.deepEqual(claim(40), [])
    const child = { runId: 'awaited', attempt: 1 }
    if (end === 'finish') assert.ok(runs.finish(child, { status: 'success' }, 50))
    if (end === 'delete') db.prepare("delete from runs where id = 'awaited'").run()
    if (end === 'fail') {
      assert.ok(runs.release(child, { reason: '', availableAt: 0 }, 50))
      assert.ok(runs.failQueued('awaited', '', { code: 'x', message: '' }, 50))
    }
    assert.deepEqual(claim(60), ['a'], end)
  }
})

test('a run that is to stop is not suspended, nor one that is another’s', (t) => {
  const { runs, claim, operations } = open(t)
  runs.requestStop('a', 'ann', 20)
  assert.equal(operations.suspend({ claim: CLAIM, waits: [atGate(null)], now: 20 }), 'stopping')
  assert.deepEqual(claim(200), ['a'])
  assert.equal(operations.suspend({ claim: CLAIM, waits: [atGate(null)], now: 20 }), 'lost')
  assert.equal(runs.find('a')?.status, 'running')
})
