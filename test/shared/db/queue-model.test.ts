import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createRuns, type Claim } from '../../../src/shared/db/runs.js'
import { createWaitReasons } from '../../../src/shared/db/wait-reasons.js'
import {
  admit,
  claim,
  end,
  expireGates,
  groupOf,
  isActive,
  reasonOf,
  resolveGate,
  runsOf,
  waitAtGate,
  type Model,
  type ModelPipeline,
  type ModelRun,
} from '../../helpers/queue-model.js'
import { openSideProcess, type SideProcess } from '../../helpers/queue-sides.js'
import { insertPipeline, KEEP_NOTHING, openForTest, tempStorage } from '../../helpers/storage.js'

/** How many schedules. */
const SCHEDULES = process.env['POCKETCI_TEST_LONG'] ? 10_000 : 1_000
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
    arbitrary: fc.record({
      type: fc.constant('kill'),
      e: nat(1),
      isRestarted: fc.boolean(),
      // the process too; a new one takes its time, so that is rare
      isHard: nat(50).map((at) => at === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('start'), e: nat(1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('hand_over'), pick: nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('record'), pick: nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release'), pick: nat(20), ms: nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('tick'), ms: nat(4) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('gate'),
      pick: nat(20),
      ms: fc.option(fc.integer({ min: 1, max: 6 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('resolve'),
      pick: nat(20),
      status: fc.constantFrom('approved' as const, 'rejected' as const),
    }),
  },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never
type OwnerCommand = Extract<
  Command,
  { type: 'finish' | 'hand_over' | 'record' | 'release' | 'gate' }
>
type Settings = typeof pipeline extends fc.Arbitrary<infer T> ? T : never

test(`${SCHEDULES} random schedules: statuses, order and reasons are those of the model`, async (t) => {
  const system = openSystem(t)
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(pipeline, pipeline, pipeline),
      fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }),
      async (settings, commands) => {
        await system.reset(settings)
        for (const one of commands) {
          await system.execute(one)
          system.compare()
        }
        await system.drain()
        system.compare()
      },
    ),
    { numRuns: SCHEDULES },
  )
})

/** The real tables behind one process each for the api and two executors, a reader; and the model. */
function openSystem(t: TestContext) {
  const path = tempStorage(t)
  const writer = openForTest(t, path, 'write')
  for (const name of PIPELINES) insertPipeline(writer, name)
  const reader = openForTest(t, path, 'read')
  const reasons = createWaitReasons(reader)
  const runs = createRuns(reader)
  const api = openSideProcess(t, path, [])
  const sides = EXECUTORS.map((executor, at) => ({
    ...executor,
    // queues are short here: one goes through all stages of the search, the other has the last alone
    process: openSideProcess(t, path, at === 0 ? [0, 2] : []),
  }))
  const rows = reader.prepare<[], { id: string; status: string; error: string; holds: number }>(
    `select id, status, error_message as error, held_group is not null as holds from runs order by seq`,
  )
  let model: Model
  let number = 0
  const LEASE = 1_000_000

  return { reset, execute, compare, drain }

  async function reset(settings: readonly Settings[]): Promise<void> {
    await api.ask('clear')
    model = { now: 1_000, pipelines: [], executors: [], runs: [] }
    for (const [at, to] of settings.entries()) await set(at, to)
    for (const { id, labels, capacity } of EXECUTORS)
      model.executors.push({ id, labels: [...labels], capacity, isAlive: false })
    await start(0)
    await start(1)
  }

  async function set(at: number, to: Settings): Promise<void> {
    const id = PIPELINES[at] as string
    const isPaused = model.pipelines[at]?.isPaused ?? false
    const next: ModelPipeline = { id, isPaused, ...to, labels: [...to.labels] }
    if (next.mode !== 'group') next.cancelsRunning = false
    model.pipelines[at] = next
    const { labels, maxInFlight } = next
    await api.ask(
      'setPipeline',
      {
        ...{ name: id, content: '', contentType: 'ts', driver: 'native' },
        ...{ program: '', sourceMap: '', labels, maxInFlight },
        concurrency: ruleOf(next),
        priority: (['low', 'normal', 'high'] as const)[next.priority + 1],
      },
      id,
      model.now,
    )
    await pause(at, isPaused)
  }

  async function start(at: number): Promise<void> {
    const { process, id, labels, capacity } = sides[at] as (typeof sides)[number]
    const executor = model.executors[at]
    if (!executor || executor.isAlive) return
    executor.isAlive = true
    const row = { id, labels, capacity, pid: 1, host: 'test' }
    await process.ask('register', row, model.now, model.now + LEASE)
  }

  async function execute(command: Command): Promise<void> {
    switch (command.type) {
      case 'trigger':
        for (let at = 0; at <= command.times; at++) await trigger(command)
        return
      case 'claim':
        return void (await claimSome(command.e, command.limit + 1))
      case 'set':
        return set(command.p, command.to)
      case 'pause':
        return pause(command.p, command.on)
      case 'kill':
        await kill(command.e, command.isHard)
        return command.isRestarted ? start(command.e) : undefined
      case 'start':
        return start(command.e)
      case 'tick':
        model.now += command.ms
        return
      case 'stop':
        return stop(command.pick)
      case 'resolve':
        return resolve(command)
      case 'finish':
      case 'hand_over':
      case 'record':
      case 'release':
      case 'gate':
        return byOwner(command)
    }
  }

  async function pause(at: number, isPaused: boolean): Promise<void> {
    const one = model.pipelines[at] as ModelPipeline
    one.isPaused = isPaused
    await api.ask('setPaused', { id: one.id, isPaused, now: model.now })
  }

  /** Its supervisor says that it has died. */
  async function kill(at: number, isHard: boolean): Promise<void> {
    const { id, process } = sides[at] as (typeof sides)[number]
    if (isHard) await process.kill()
    for (const run of runsOf(model, id)) run.lease = 'dead'
    for (const executor of model.executors) if (executor.id === id) executor.isAlive = false
    await api.ask('expire', id, model.now)
  }

  async function trigger({ p, arg }: { p: number; arg: number }): Promise<void> {
    const one = model.pipelines[p] as ModelPipeline
    const id = `r${number++}`
    const outcome = await api.ask('admit', {
      run: {
        ...{ id, pipelineId: one.id, triggerType: 'manual', triggeredBy: '', requestId: '' },
        triggerInput: {},
      },
      resolved: { rule: ruleOf(one), group: groupOf(one, `g${arg}`) },
      ...{ maxQueueSize: 1_000, now: model.now },
    })
    const isAccepted = admit(model, one, `g${arg}`, id)
    assert.equal(outcome, isAccepted ? 'accepted' : 'paused')
  }

  async function claimSome(at: number, most: number): Promise<string[]> {
    const { id: executorId, process, labels, capacity } = sides[at] as (typeof sides)[number]
    const executor = model.executors[at]
    const own = runsOf(model, executorId)
    // as in the claim loop
    if (!executor?.isAlive || own.some(({ deaths }) => deaths === 2)) return []
    const limit = Math.min(most, capacity - own.length)
    if (limit <= 0) return []
    const { ids, hasClaimable } = await process.ask('claim', {
      ...{ executorId, labels, limit, leaseTtlMs: LEASE, defaultDriver: 'native' },
      ...{ now: model.now, isIdle: own.length === 0 },
    })
    assert.deepEqual(ids, claim(model, executor, limit))
    assert.ok(hasClaimable || ids.length === 0, 'a look finds what a claim finds')
    return ids
  }

  async function stop(pick: number): Promise<void> {
    const run = pickFrom(model.runs.filter(isActive), pick)
    if (!run) return
    await api.ask('stop', { runId: run.id, by: 'me', keep: KEEP_NOTHING, now: model.now })
    if (run.status === 'queued') end(run, 'failed', 'Run stopped by user')
    else run.isStopping = true
  }

  /** Somebody decides about a gate, also about one that waits for nobody any more. */
  async function resolve({ pick, status }: { pick: number; status: 'approved' | 'rejected' }) {
    const gates = model.runs.flatMap((run) => run.gates.map((gate) => ({ run, gate })))
    const one = pickFrom(gates, pick)
    if (!one) return
    const resolution = { status, by: 'me', comment: '' }
    const outcome = await api.ask('resolveGate', { id: one.gate.id, resolution, now: model.now })
    assert.equal(outcome, resolveGate(model, one.run, one.gate, status))
  }

  /** What the owner of a run does; one that has lost its lease can do nothing. */
  async function byOwner(command: OwnerCommand): Promise<void> {
    const owned = model.runs.filter(({ status, lease }) => status === 'running' && lease === 'open')
    const run = pickFrom(owned, command.pick)
    if (!run) return
    const { process } = sides.find(({ id }) => id === run.owner) as (typeof sides)[number]
    const claimed = { runId: run.id, attempt: runs.find(run.id)?.attempt ?? 0 }
    const owner = { run, process, claimed }
    switch (command.type) {
      case 'record':
        return record(owner)
      case 'hand_over':
        run.lease = 'given_up'
        await process.ask('handOver', { claim: claimed })
        return
      case 'release':
        return release(owner, command.ms)
      case 'gate':
        return askForGate(owner, command.ms)
      case 'finish':
        return finish(owner)
    }
  }

  async function record({ run, process, claimed }: Owner): Promise<void> {
    await process.ask('record', claimed, ++run.journal)
  }

  async function release({ run, process, claimed }: Owner, ms: number): Promise<void> {
    const waiting = { reason: 'driver unavailable', availableAt: model.now + ms }
    const isReleased = await process.ask('release', { claim: claimed, waiting, now: model.now })
    assert.equal(isReleased, !run.isStopping)
    if (run.isStopping) return
    Object.assign(run, { status: 'queued', availableAt: waiting.availableAt, owner: '' })
    run.holds &&= run.journal > 0
  }

  async function askForGate(owner: Owner, timeoutMs: number | null): Promise<void> {
    const { run, process, claimed } = owner
    const { now } = model
    await record(owner)
    await process.ask('expireGates', { claim: claimed, now })
    expireGates(run, now)
    const number = run.gates.length + 1
    const id = `${run.id}-${number}`
    const gate = { id, number, name: id, message: '', approvers: [], timeoutMs }
    const outcome = await process.ask('waitAtGate', claimed, gate, now)
    assert.equal(outcome, run.isStopping ? 'stopping' : 'suspended')
    const deadline = timeoutMs === null ? Infinity : now + timeoutMs
    waitAtGate(run, { id, status: 'pending', deadline })
  }

  async function finish({ run, process, claimed }: Owner): Promise<void> {
    const { isStopping, supersededBy } = run
    const text = supersededBy === '' ? 'Run stopped by user' : `superseded by run ${supersededBy}`
    const outcome = isStopping
      ? ({ status: 'failed', errorCode: 'stopped', errorMessage: 'Run stopped by user' } as const)
      : ({ status: 'success' } as const)
    const openTasks = { status: 'aborted', errorMessage: '' } as const
    const input = { claim: claimed, outcome, openTasks, keep: KEEP_NOTHING, now: model.now }
    assert.equal(await process.ask('finish', input), 'ended')
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
  async function drain(): Promise<void> {
    while ((await claimSome(0, 9)).length + (await claimSome(1, 9)).length > 0);
    for (const run of model.runs)
      if (run.status === 'queued') assert.notEqual(reasonOf(model, run), 'turn', run.id)
  }
}

/** A run that an executor has, and what speaks for that. */
interface Owner {
  run: ModelRun
  process: SideProcess
  claimed: Claim
}

function ruleOf({ mode, cancelsRunning }: ModelPipeline) {
  return { mode, template: mode === 'group' ? 'x' : '', cancelsRunning }
}

function pickFrom<T>(list: readonly T[], pick: number): T | undefined {
  return list[pick % Math.max(1, list.length)]
}
