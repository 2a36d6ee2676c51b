import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createOperations as createApiWrites } from '../../../src/api/writes.js'
import { createOperations as createExecutorWrites } from '../../../src/executor/writes.js'
import { createClaims } from '../../../src/shared/db/claim-runs.js'
import { createExecutors } from '../../../src/shared/db/executors.js'
import { createPipelines } from '../../../src/shared/db/pipelines.js'
import { createRuns } from '../../../src/shared/db/runs.js'
import { createWaitReasons } from '../../../src/shared/db/wait-reasons.js'
import {
  admit,
  claim,
  end,
  groupOf,
  isActive,
  reasonOf,
  runsOf,
  type Model,
  type ModelPipeline,
  type ModelRun,
} from '../../helpers/queue-model.js'
import { insertPipeline, KEEP_NOTHING, openForTest, tempStorage } from '../../helpers/storage.js'

/** How many schedules; `npm run test:long` sets more. */
const SCHEDULES = Number(process.env['QUEUE_SCHEDULES'] ?? 2_000)
const PIPELINES = ['p0', 'p1', 'p2']
const EXECUTORS = [
  { id: 'e0', labels: [], capacity: 2 },
  { id: 'e1', labels: ['gpu'], capacity: 3 },
]

const nat = (max: number) => fc.nat({ max })
const pipeline = fc.record({
  mode: fc.constantFrom('', 'serial', 'group', 'group', 'skip-if-running'),
  isShared: fc.boolean(),
  cancelsRunning: fc.boolean(),
  priority: fc.constantFrom(-1, 0, 1),
  labels: fc.constantFrom([], [], ['gpu']),
  maxInFlight: fc.constantFrom(0, 0, 1, 2),
})
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('trigger'), p: nat(2), arg: nat(1), times: nat(3) }),
  },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('claim'), e: nat(1), limit: nat(2) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('finish'), pick: nat(20) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stop'), pick: nat(20) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('pause'), p: nat(2), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('set'), p: nat(2), to: pipeline }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('kill'), e: nat(1), isRestarted: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('start'), e: nat(1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('hand_over'), pick: nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('record'), pick: nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release'), pick: nat(20), ms: nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('tick'), ms: nat(4) }) },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never
type OwnerCommand = Extract<Command, { type: 'finish' | 'hand_over' | 'record' | 'release' }>
type Settings = typeof pipeline extends fc.Arbitrary<infer T> ? T : never

test(`${SCHEDULES} random schedules: statuses, order and reasons are those of the model`, (t) => {
  const system = openSystem(t)
  fc.assert(
    fc.property(
      fc.tuple(pipeline, pipeline, pipeline),
      fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }),
      (settings, commands) => {
        system.reset(settings)
        for (const one of commands) {
          system.execute(one)
          system.compare()
        }
        system.drain()
        system.compare()
      },
    ),
    { numRuns: SCHEDULES },
  )
})

/** The real tables over one connection each for the api, two executors and a reader; and the model. */
function openSystem(t: TestContext) {
  const path = tempStorage(t)
  const connect = (mode: 'read' | 'write' = 'write') => {
    const db = openForTest(t, path, mode)
    if (mode === 'write') db.pragma('synchronous = off') // nobody pulls the plug here
    return db
  }
  const apiDb = connect()
  const api = createApiWrites(apiDb)
  const pipelines = createPipelines(apiDb)
  const readerDb = connect('read')
  const reasons = createWaitReasons(readerDb)
  const runs = createRuns(readerDb)
  const sides = EXECUTORS.map((executor, at) => {
    const db = connect()
    return {
      ...executor,
      db,
      writes: createExecutorWrites(db),
      executors: createExecutors(db),
      // queues are short here: one goes through all stages of the search, the other has the last alone
      claims: createClaims(db, at === 0 ? [0, 2] : []),
    }
  })
  for (const name of PIPELINES) insertPipeline(apiDb, name)
  const rows = readerDb.prepare<[], { id: string; status: string; error: string; holds: number }>(
    `select id, status, error_message as error, held_group is not null as holds from runs order by seq`,
  )
  let model: Model
  let number = 0
  const LEASE = 1_000_000

  return { reset, execute, compare, drain }

  function reset(settings: readonly Settings[]): void {
    apiDb.exec('delete from runs; delete from executors')
    model = { now: 1_000, pipelines: [], executors: [], runs: [] }
    settings.forEach((to, at) => set(at, to))
    for (const { id, labels, capacity } of EXECUTORS)
      model.executors.push({ id, labels: [...labels], capacity, isAlive: false })
    start(0)
    start(1)
  }

  function set(at: number, to: Settings): void {
    const id = PIPELINES[at] as string
    const isPaused = model.pipelines[at]?.isPaused ?? false
    const next: ModelPipeline = { id, isPaused, ...to, labels: [...to.labels] }
    if (next.mode !== 'group') next.cancelsRunning = false
    model.pipelines[at] = next
    pipelines.upsert(
      {
        ...{
          name: id,
          content: '',
          contentType: 'ts',
          driver: 'native',
          program: '',
          sourceMap: '',
        },
        concurrency: {
          mode: next.mode,
          template: next.mode === 'group' ? 'x' : '',
          cancelsRunning: next.cancelsRunning,
        },
        priority: (['low', 'normal', 'high'] as const)[next.priority + 1],
        labels: next.labels,
        maxInFlight: next.maxInFlight,
      },
      id,
      model.now,
    )
    pipelines.setPaused(id, isPaused, model.now)
  }

  function start(at: number): void {
    const { executors, id, labels, capacity } = sides[at] as (typeof sides)[number]
    const executor = model.executors[at]
    if (!executor || executor.isAlive) return
    executor.isAlive = true
    const row = { id, labels, capacity, pid: 1, host: 'test' }
    executors.register(row, model.now, model.now + LEASE)
  }

  function execute(command: Command): void {
    switch (command.type) {
      case 'trigger':
        for (let at = 0; at <= command.times; at++) trigger(command)
        return
      case 'claim':
        return void claimSome(command.e, command.limit + 1)
      case 'set':
        return set(command.p, command.to)
      case 'pause':
        return pause(command.p, command.on)
      case 'kill':
        kill(command.e)
        if (command.isRestarted) start(command.e)
        return
      case 'start':
        return start(command.e)
      case 'tick':
        model.now += command.ms
        return
      case 'stop':
        return stop(command.pick)
      case 'finish':
      case 'hand_over':
      case 'record':
      case 'release':
        return byOwner(command)
    }
  }

  function pause(at: number, on: boolean): void {
    const one = model.pipelines[at] as ModelPipeline
    one.isPaused = on
    api.setPaused({ id: one.id, isPaused: on, now: model.now })
  }

  function kill(at: number): void {
    const { id, executors } = sides[at] as (typeof sides)[number]
    for (const run of runsOf(model, id)) run.lease = 'dead'
    for (const executor of model.executors) if (executor.id === id) executor.isAlive = false
    executors.expire(id, model.now)
  }

  function trigger({ p, arg }: { p: number; arg: number }): void {
    const one = model.pipelines[p] as ModelPipeline
    const id = `r${number++}`
    const { mode, cancelsRunning } = one
    const admission = api.admitRun(
      {
        run: {
          ...{ id, pipelineId: one.id, triggerType: 'manual', triggeredBy: '', requestId: '' },
          triggerInput: {},
        },
        resolved: {
          rule: { mode, template: mode === 'group' ? 'x' : '', cancelsRunning },
          group: groupOf(one, `g${arg}`),
        },
        maxQueueSize: 1_000,
        now: model.now,
      },
      new Map(),
    )
    const isAccepted = admit(model, one, `g${arg}`, id)
    assert.equal(admission.outcome, isAccepted ? 'accepted' : 'paused')
  }

  function claimSome(at: number, most: number): string[] {
    const side = sides[at] as (typeof sides)[number]
    const executor = model.executors[at]
    const own = runsOf(model, side.id)
    // as in the claim loop
    if (!executor?.isAlive || own.some(({ deaths }) => deaths === 2)) return []
    const limit = Math.min(most, side.capacity - own.length)
    if (limit <= 0) return []
    const input = { now: model.now, labels: side.labels }
    const isExpected = side.claims.hasClaimable(input)
    const taken = side.db.transaction(() =>
      side.claims.claim({
        ...input,
        ...{ executorId: side.id, limit, leaseTtlMs: LEASE, defaultDriver: 'native' },
        isIdle: own.length === 0,
      }),
    )
    const ids = taken.immediate()
    assert.deepEqual(ids, claim(model, executor, limit))
    assert.ok(isExpected || ids.length === 0, 'a look finds what a claim finds')
    return ids
  }

  function stop(pick: number): void {
    const active = model.runs.filter((run) => isActive(run))
    const run = active[pick % Math.max(1, active.length)]
    if (!run) return
    api.stopRun({ runId: run.id, by: 'me', keep: KEEP_NOTHING, now: model.now }, new Map())
    if (run.status === 'queued') end(run, 'failed', 'Run stopped by user')
    else run.isStopping = true
  }

  /** What the owner of a run does; one that has lost its lease can do nothing. */
  function byOwner(command: OwnerCommand): void {
    const { type, pick } = command
    const owned = model.runs.filter(({ status, lease }) => status === 'running' && lease === 'open')
    const run = owned[pick % Math.max(1, owned.length)]
    if (!run) return
    const { writes, db } = sides.find(({ id }) => id === run.owner) as (typeof sides)[number]
    const claimed = { runId: run.id, attempt: runs.find(run.id)?.attempt ?? 0 }
    const { now } = model
    if (type === 'record') {
      run.journal++
      db.prepare(
        "insert into journal (run_id, seq, attempt, kind, effect, at) values (?, ?, 1, 'result', 1, 1)",
      ).run(run.id, run.journal)
    } else if (type === 'hand_over') {
      run.lease = 'given_up'
      writes.handOver({ claim: claimed })
    } else if (type === 'release') {
      const { ms } = command
      const waiting = { reason: 'driver unavailable', availableAt: now + ms }
      assert.equal(writes.release({ claim: claimed, waiting, now }), !run.isStopping)
      if (run.isStopping) return
      Object.assign(run, { status: 'queued', availableAt: now + ms, owner: '' })
      run.holds &&= run.journal > 0
    } else finish(run, claimed, writes)
  }

  function finish(
    run: ModelRun,
    claimed: { runId: string; attempt: number },
    writes: (typeof sides)[number]['writes'],
  ): void {
    const { isStopping, supersededBy } = run
    const text = supersededBy === '' ? 'Run stopped by user' : `superseded by run ${supersededBy}`
    const outcome = isStopping
      ? ({ status: 'failed', errorCode: 'stopped', errorMessage: 'Run stopped by user' } as const)
      : ({ status: 'success' } as const)
    const openTasks = { status: 'aborted', errorMessage: '' } as const
    const input = { claim: claimed, outcome, openTasks, keep: KEEP_NOTHING, now: model.now }
    assert.equal(writes.finish(input), 'ended')
    end(run, outcome.status, isStopping ? text : '')
  }

  function compare(): void {
    const stored = rows.all()
    assert.deepEqual(
      stored.map(({ id, status, error, holds }) => [id, status, error, holds === 1]),
      model.runs.map(({ id, status, error, holds }) => [id, status, error, holds]),
    )
    const groups = model.runs.filter(({ holds }) => holds).map(({ group }) => group)
    assert.equal(new Set(groups).size, groups.length, 'a group is held once')
    for (const run of model.runs) {
      if (run.status !== 'queued') continue
      const reason = reasons.find(runs.find(run.id) as never, model.now)
      const said = reason?.kind === 'group' ? `group ${reason.holder}` : reason?.kind
      assert.equal(said, reasonOf(model, run), run.id)
    }
  }

  /** Executors take all that they can: nobody who is left may say that it is about to start. */
  function drain(): void {
    while (claimSome(0, 9).length + claimSome(1, 9).length > 0);
    for (const run of model.runs)
      if (run.status === 'queued') assert.notEqual(reasonOf(model, run), 'turn', run.id)
  }
}
