import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRunCleanups } from '../../../src/shared/db/run-cleanups.js'
import { createRuns, type NewRun } from '../../../src/shared/db/runs.js'
import { createTasks } from '../../../src/shared/db/tasks.js'
import { CLAIMER, insertPipeline, openForTest, tempStorage } from '../../helpers/storage.js'

function newRun(id: string): NewRun {
  return {
    id,
    pipelineId: 'p',
    triggerType: 'manual',
    triggeredBy: '',
    triggerInput: {},
    requestId: '',
  }
}

function open(t: Parameters<typeof tempStorage>[0]) {
  const db = openForTest(t, tempStorage(t), 'write')
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  const claim = (executorId: string, now: number, limit = 1) =>
    runs.claim({ executorId, limit, now, leaseTtlMs: 100, ...CLAIMER })
  return { db, runs, claim, tasks: createTasks(db) }
}

test('runs are claimed oldest first, each once', (t) => {
  const { runs, claim } = open(t)
  for (const id of ['a', 'b', 'c']) runs.insert(newRun(id), 1)
  assert.deepEqual(
    claim('x', 10, 2).map(({ id }) => id),
    ['a', 'b'],
  )
  assert.deepEqual(
    claim('y', 10, 2).map(({ id }) => id),
    ['c'],
  )
  assert.deepEqual(claim('z', 10, 2), [])
})

test('a run whose lease ran out is claimed again, before younger ones, with the next attempt', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('old'), 1)
  claim('dead', 10)
  runs.insert(newRun('young'), 20)
  assert.deepEqual(
    claim('alive', 110).map(({ id, attempt }) => [id, attempt]),
    [['old', 2]],
  )
})

test('an executor that lost its lease renews, finishes and changes nothing', (t) => {
  const { runs, claim, tasks } = open(t)
  runs.insert(newRun('a'), 1)
  claim('zombie', 10)
  const stale = { runId: 'a', attempt: 1 }
  tasks.insert(stale, { step: 1, path: '/pipeline/a/tasks/0-x', name: 'x' })
  claim('owner', 200)
  assert.equal(runs.renew(stale, 1_000), false)
  assert.equal(runs.finish(stale, { status: 'success' }, 300), false)
  assert.equal(tasks.insert(stale, { step: 2, path: '/pipeline/a/tasks/1-x', name: 'x' }), false)
  assert.equal(tasks.finish(stale, 1, { status: 'success' }, 300), false)
  assert.equal(runs.find('a')?.status, 'running')
  assert.equal(runs.finish({ runId: 'a', attempt: 2 }, { status: 'success' }, 300), true)
})

test('a terminal run never changes again', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('a'), 1)
  claim('x', 10)
  runs.finish({ runId: 'a', attempt: 1 }, { status: 'success' }, 20)
  assert.equal(runs.failQueued('a', 'me', { code: 'aborted', message: 'no' }, 30), false)
  assert.equal(runs.requestStop('a', 'me', 30), false)
  assert.equal(runs.finish({ runId: 'a', attempt: 1 }, { status: 'skipped' }, 30), false)
  assert.deepEqual(claim('y', 10_000), [])
  assert.equal(runs.find('a')?.status, 'success')
})

test('a stop is asked once and keeps who asked first', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('a'), 1)
  claim('x', 10)
  assert.equal(runs.requestStop('a', 'first', 20), true)
  assert.equal(runs.requestStop('a', 'second', 30), false)
  assert.deepEqual(runs.findStopRequests('x'), [{ id: 'a', attempt: 1, by: 'first' }])
})

test('the leases of a dead executor can be expired at once', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('a'), 1)
  claim('dead', 10)
  assert.equal(runs.hasClaimable({ now: 20, labels: [] }), false)
  assert.equal(runs.expireLeases('dead', 20), 1)
  assert.equal(runs.hasClaimable({ now: 20, labels: [] }), true)
})

test('counts stop at their limit, and lists are paged newest first', (t) => {
  const { runs } = open(t)
  for (let at = 0; at < 25; at++) runs.insert(newRun(`r${at}`), at)
  assert.equal(runs.countQueued(10), 10)
  assert.equal(runs.countQueued(100), 25)
  const { items, totalItems } = runs.list({ page: 2, perPage: 10 }, 'p')
  assert.equal(totalItems, 25)
  assert.deepEqual([items[0]?.id, items.length], ['r14', 10])
})

test('a run that waits for its driver is not claimed before its time, and holds up nobody', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('waits'), 1)
  runs.insert(newRun('next'), 2)
  const [run] = claim('x', 10)
  assert.equal(run?.id, 'waits')
  const waiting = { reason: 'driver unavailable: no engine', availableAt: 50 }
  assert.equal(runs.release({ runId: 'waits', attempt: 1 }, waiting, 15), true)
  assert.equal(
    runs.release({ runId: 'waits', attempt: 1 }, waiting, 15),
    false,
    'it is not ours now',
  )
  const { status, startedAt, waitReason } = runs.find('waits') ?? {}
  assert.deepEqual([status, startedAt, waitReason], ['queued', null, waiting.reason])

  const ids = (now: number): string[] => claim('y', now).map(({ id }) => id)
  assert.deepEqual(ids(20), ['next'])
  assert.equal(runs.hasClaimable({ now: 49, labels: [] }), false)
  assert.deepEqual(ids(49), [])
  assert.equal(runs.hasClaimable({ now: 50, labels: [] }), true)
  assert.deepEqual(ids(50), ['waits'])
})

test('a run that somebody wants stopped does not go back to the queue', (t) => {
  const { runs, claim } = open(t)
  runs.insert(newRun('a'), 1)
  claim('x', 10)
  runs.requestStop('a', 'me', 11)
  const waiting = { reason: 'driver unavailable', availableAt: 50 }
  assert.equal(runs.release({ runId: 'a', attempt: 1 }, waiting, 15), false)
  assert.equal(runs.find('a')?.status, 'running')
})

/** Claims that end in the death of the executor, and what the run's count of deaths is then. */
function deathsAfter(
  { runs, db }: Pick<ReturnType<typeof open>, 'runs' | 'db'>,
  now: number,
  options: { isIdle?: boolean; limit?: number } = {},
) {
  const { isIdle = true, limit = 1 } = options
  const claimed = runs.claim({
    ...{ executorId: 'x', limit, now, leaseTtlMs: 10, defaultDriver: 'native', labels: [], isIdle },
  })
  const progress = (runId: string, seq: number): void =>
    void db
      .prepare(
        "insert into journal (run_id, seq, attempt, kind, effect, at) values (?, ?, 1, 'result', 1, 1)",
      )
      .run(runId, seq)
  return { ids: claimed.map(({ id }) => id), deaths: claimed.map(({ deaths }) => deaths), progress }
}

test('deaths in a row count until the journal grows; one that handed its run over has not died', (t) => {
  const tables = open(t)
  const { runs } = tables
  runs.insert(newRun('a'), 1)
  assert.deepEqual(deathsAfter(tables, 100).deaths, [0])
  assert.deepEqual(deathsAfter(tables, 200).deaths, [1])
  const second = deathsAfter(tables, 300)
  assert.deepEqual(second.deaths, [2])
  second.progress('a', 1)
  assert.deepEqual(deathsAfter(tables, 400).deaths, [0])
  runs.handOver({ runId: 'a', attempt: 4 })
  assert.deepEqual(deathsAfter(tables, 401).deaths, [0])
  runs.expire({ runId: 'a', attempt: 5 }, 402)
  assert.deepEqual(deathsAfter(tables, 403).deaths, [1])
})

test('the leases of a dead executor are expired, but not those that it had given up', (t) => {
  const tables = open(t)
  const { runs } = tables
  runs.insert(newRun('a'), 1)
  deathsAfter(tables, 100)
  runs.handOver({ runId: 'a', attempt: 1 })
  assert.equal(runs.expireLeases('x', 101), 0)
  assert.deepEqual(deathsAfter(tables, 102).deaths, [0])
})

test('the last try is alone: an idle executor takes that run and no other with it', (t) => {
  const tables = open(t)
  const { runs } = tables
  for (const id of ['poison', 'b', 'c']) runs.insert(newRun(id), 1)
  deathsAfter(tables, 100)
  deathsAfter(tables, 200)
  assert.deepEqual(deathsAfter(tables, 300, { isIdle: false, limit: 3 }).ids, [])
  assert.deepEqual(deathsAfter(tables, 300, { limit: 3 }).ids, ['poison'])
  assert.deepEqual(deathsAfter(tables, 301, { isIdle: false, limit: 3 }).ids, ['b', 'c'])
})

test('a run that has begun keeps its start, its driver and its program while it waits', (t) => {
  const { db, runs, claim } = open(t)
  runs.insert(newRun('a'), 1)
  claim('x', 10)
  db.prepare(
    "insert into journal (run_id, seq, attempt, kind, effect, at) values ('a', 1, 1, 'result', 1, 1)",
  ).run()
  runs.release({ runId: 'a', attempt: 1 }, { reason: 'driver unavailable', availableAt: 20 }, 15)
  const { startedAt, driver, programVersion } = runs.find('a') ?? {}
  assert.deepEqual([startedAt, driver, programVersion], [10, 'native', 1])
})

test('the end of a run leaves a row until what it made is removed; of one that was never claimed none', (t) => {
  const { db, runs, claim } = open(t)
  for (const id of ['a', 'b']) runs.insert(newRun(id), 1)
  claim('x', 10)
  runs.finish({ runId: 'a', attempt: 1 }, { status: 'success' }, 20)
  runs.failQueued('b', 'me', { code: 'aborted', message: 'no' }, 20)
  const cleanups = createRunCleanups(db)
  assert.deepEqual(cleanups.listDue(20, 10), [])
  assert.deepEqual(cleanups.listDue(30_020, 10), [
    { runId: 'a', driver: 'native', pipelineId: 'p' },
  ])
  cleanups.remove('a')
  assert.deepEqual(cleanups.listDue(30_020, 10), [])
})

test('what is found of a run is to be removed once, unless the run goes on; it is not resumed meanwhile', (t) => {
  const { db, runs, claim } = open(t)
  for (const id of ['ended', 'live', 'queued']) runs.insert(newRun(id), 1)
  claim('x', 10, 2)
  runs.finish({ runId: 'ended', attempt: 1 }, { status: 'success' }, 20)
  const cleanups = createRunCleanups(db)
  cleanups.remove('ended')
  const adopt = (runId: string) => cleanups.adopt({ runId, driver: 'native', pipelineId: '' }, 30)
  assert.deepEqual(['ended', 'live', 'queued', 'unknown'].map(adopt), [true, false, false, true])
  assert.deepEqual(['ended', 'unknown'].map(adopt), [false, false])
  runs.finish({ runId: 'live', attempt: 1 }, { status: 'success' }, 40)
  runs.restart('ended', { stepBase: 0, by: '', now: 45 })
  assert.deepEqual(
    claim('y', 50, 3).map(({ id }) => id),
    ['queued'],
  )
  cleanups.remove('ended')
  assert.deepEqual(
    claim('y', 50, 3).map(({ id }) => id),
    ['ended'],
  )
})
