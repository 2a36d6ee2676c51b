import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_RULE, type ConcurrencyRule } from '../../../src/shared/contract/queue-rules.js'
import type { Db } from '../../../src/shared/db/open.js'
import { createPipelineInputs } from '../../../src/shared/db/pipeline-inputs.js'
import { createPipelines } from '../../../src/shared/db/pipelines.js'
import { createRuns } from '../../../src/shared/db/runs.js'
import { createTriggeredRuns } from '../../../src/shared/db/triggered-runs.js'
import { createAttempts, RUN, type TestRun } from '../../helpers/attempts.js'
import { insertPipeline } from '../../helpers/storage.js'

const attempts = createAttempts()
const SUCCESS = { status: 'success' }

const pipeline = (body: string): string => `export const pipeline = async () => {\n${body}\n}`
const tell = (call: string): string =>
  `console.log(JSON.stringify(await ${call}.catch((error) => error.message)))`

function children({ main }: TestRun) {
  return createRuns(main)
    .list({ page: 1, perPage: 100 })
    .items.filter(({ id }) => id !== RUN)
}

function setRule(main: Db, name: string, rule: Partial<ConcurrencyRule>): void {
  insertPipeline(main, name)
  const texts = { content: '', contentType: 'ts', driver: 'native', program: '', sourceMap: '{}' }
  const concurrency = { ...NO_RULE, ...rule }
  createPipelines(main).upsert({ name, ...texts, concurrency }, name, Date.now())
}

function end({ main }: TestRun, id: string, how: 'success' | 'failed'): void {
  const runs = createRuns(main)
  assert.ok(runs.failQueued(id, 'test', { code: 'x', message: 'no luck' }, Date.now()))
  if (how === 'success')
    main.prepare("update runs set status = 'success', error_message = '' where id = ?").run(id)
}

test('a triggered run is queued with its arguments, on behalf of its caller', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(tell("triggerPipeline('other', { args: ['a b'], jobs: ['j'] })")),
  )
  insertPipeline(run.main, 'other')
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [child, ...more] = children(run)
  assert.deepEqual(more, [])
  assert.equal(run.output(0), `{"runID":"${child?.id}"}\n`)
  assert.deepEqual(
    [child?.pipelineId, child?.status, child?.triggerType, child?.triggeredBy],
    ['other', 'queued', 'manual', 'triggerPipeline'],
  )
  assert.deepEqual(child?.triggerInput, { args: ['a b'], jobs: ['j'] })
})

test('a pipeline that is open to some is triggered by those under the same rule alone', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${tell("triggerPipeline('closed')")}\n${tell("triggerPipeline('ours')")}`),
  )
  for (const name of ['closed', 'ours']) insertPipeline(run.main, name)
  const setRbac = run.main.prepare('update pipelines set rbac_expression = ? where name = ?')
  setRbac.run('Email == "a@b"', 'closed')
  setRbac.run('Email == "us@b"', 'ours')
  run.main
    .prepare(
      `update pipelines set rbac_expression = 'Email == "us@b"'
       where id = (select pipeline_id from runs where id = ?)`,
    )
    .run(RUN)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.match(run.output(0), /^"access denied to pipeline \\"closed\\""\n\{"runID":/)
})

test('inputs are checked against what the other pipeline declares', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${tell("triggerPipeline('other', { inputs: { env: 'nowhere' } })")}
      ${tell("triggerPipeline('other', { inputs: { evn: 'a' } })")}
      ${tell("triggerPipeline('other', { inputs: { env: null } })")}
      await triggerPipeline('other', { inputs: { env: 'b' } })
      await triggerPipeline('other')`),
  )
  insertPipeline(run.main, 'other')
  createPipelineInputs(run.main).set('other', {
    env: { type: 'choice', choices: ['a', 'b'], default: 'a' },
  })
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(run.output(0).trimEnd().split('\n'), [
    '"inputs.env: expected one of a, b, got \\"nowhere\\""',
    '"inputs.evn: there is no such input; there are: env"',
    '"triggerPipeline: invalid inputs: env: Invalid input"',
  ])
  assert.deepEqual(
    children(run).map(({ triggerInput }) => triggerInput),
    [{ inputs: { env: 'a' } }, { inputs: { env: 'b' } }],
  )
})

test('with wait the caller leaves its thread until that run has ended, and gets how', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${tell("triggerPipeline('other', { wait: true })")}
      ${tell("triggerPipeline('other', { wait: true })")}`),
  )
  insertPipeline(run.main, 'other')
  for (const how of ['failed', 'success'] as const) {
    const waiting = await run.attempt()
    assert.equal(waiting.status, 'waiting')
    assert.equal((await run.attempt()).status, 'waiting')
    const child = children(run).find(({ status }) => status === 'queued')
    end(run, child?.id ?? '', how)
  }
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [second, first] = children(run)
  assert.deepEqual(run.output(0).trimEnd().split('\n'), [
    `{"runID":"${first?.id}","status":"failed","error":"no luck"}`,
    `{"runID":"${second?.id}","status":"success"}`,
  ])
})

test('a run that is deleted while somebody waits for it is an error', async (t) => {
  const run = await attempts.open(t, pipeline(tell("triggerPipeline('other', { wait: true })")))
  insertPipeline(run.main, 'other')
  assert.equal((await run.attempt()).status, 'waiting')
  const [child] = children(run)
  createPipelines(run.main).remove('other')
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), `"triggerPipeline: run ${child?.id} was deleted"\n`)
})

test('what is refused rejects, with the same text at each replay', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${tell("triggerPipeline('none')")}
      ${tell("triggerPipeline('asleep')")}
      ${tell("triggerPipeline('p')")}
      ${tell("triggerPipeline('other', { args: [1] })")}
      ${tell("triggerPipeline('other', { jobs: 'x' })")}
      ${tell("triggerPipeline('')")}
      await orchestration.gate('look')`),
  )
  insertPipeline(run.main, 'asleep')
  insertPipeline(run.main, 'other')
  createPipelines(run.main).setPaused('asleep', true, 1)
  const expected = [
    '"pipeline \\"none\\" not found"',
    '"pipeline \\"asleep\\" is paused"',
    '"triggerPipeline: \\"p\\" is among its own callers: p → p"',
    '"triggerPipeline: invalid args: 0: Invalid input: expected string, received number"',
    '"triggerPipeline: invalid jobs: Invalid input: expected array, received string"',
    '"triggerPipeline requires (nameOrId[, options])"',
  ]
  assert.equal((await run.attempt()).status, 'waiting')
  createPipelines(run.main).setPaused('asleep', false, 1)
  insertPipeline(run.main, 'none')
  assert.equal((await run.attempt()).status, 'waiting')
  assert.deepEqual(run.output(0).trimEnd().split('\n'), expected)
  assert.deepEqual(children(run), [])
})

test('a chain of callers has an end, and a full queue is said', async (t) => {
  const run = await attempts.open(t, pipeline(tell("triggerPipeline('deep')")))
  insertPipeline(run.main, 'deep')
  const set = run.main.prepare('update runs set callers = ? where id = ?')
  set.run(JSON.stringify(Array.from({ length: 10 }, (_, at) => `caller-${at}`)), RUN)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.match(
    run.output(0),
    /^"triggerPipeline: more than 10 pipelines call one another: caller-0 → .*caller-9 → p → deep"/,
  )
  assert.equal(children(run).length, 0)

  const other = await attempts.open(
    t,
    pipeline(`for (let n = 0; n < 101; n++) {
      const refused = await triggerPipeline('other').then(() => '', (error) => error.message)
      if (refused) console.log(n, refused)
    }`),
  )
  insertPipeline(other.main, 'other')
  assert.deepEqual(await other.attempt(), SUCCESS)
  assert.equal(other.output(0), '100 execution queue is full\n')
  assert.equal(children(other).length, 100)
})

test('a run that would wait for its own caller is refused, also over others', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${tell("triggerPipeline('same', { wait: true })")}
      ${tell("triggerPipeline('crossed', { wait: true })")}
      await triggerPipeline('same')`),
  )
  const { main } = run
  setRule(main, 'same', { mode: 'group', template: 'shared:a' })
  setRule(main, 'crossed', { mode: 'group', template: 'shared:b' })
  main
    .prepare("update runs set concurrency_group = 'shared:a', held_group = 'shared:a' where id = ?")
    .run(RUN)
  // a run that holds b and waits for one that waits for a
  const runs = createRuns(main)
  const other = { pipelineId: 'same', triggerType: 'manual', triggeredBy: '' } as const
  for (const [id, group] of [
    ['holder', 'shared:b'],
    ['awaited', 'shared:a'],
  ] as const)
    runs.insert({ ...other, id, concurrencyGroup: group, triggerInput: {}, requestId: '' }, 1)
  main
    .prepare("update runs set held_group = 'shared:b', available_at = 9e15 where id = 'holder'")
    .run()
  createTriggeredRuns(main).insert('holder', {
    ...{ number: 1, childId: 'awaited', error: '', isAwaited: true },
  })
  assert.deepEqual(await run.attempt(), SUCCESS)
  const text = (name: string, group: string): string =>
    `"triggerPipeline: a run of \\"${name}\\" would wait for its own caller, by way of the concurrency group shared:${group}"`
  assert.deepEqual(run.output(0).trimEnd().split('\n'), [text('same', 'a'), text('crossed', 'b')])
  assert.equal(children(run).length, 3, 'one that nobody waits for may wait')
})

test('a triggered run is under the rule of its pipeline: skipped, or superseding', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      ${tell("triggerPipeline('shy').then(() => 'first')")}
      ${tell("triggerPipeline('shy', { wait: true })")}
      ${tell("triggerPipeline('bold').then(() => 'first')")}
      ${tell("triggerPipeline('bold').then(() => 'second')")}`),
  )
  setRule(run.main, 'shy', { mode: 'skip-if-running' })
  setRule(run.main, 'bold', { mode: 'group', template: 'g', cancelsRunning: true })
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [bold2, bold1, shy2, shy1] = children(run)
  assert.deepEqual(run.output(0).trimEnd().split('\n'), [
    '"first"',
    `{"runID":"${shy2?.id}","status":"skipped","error":"skipped: pipeline already running (peer run ${shy1?.id})"}`,
    '"first"',
    '"second"',
  ])
  assert.deepEqual(
    [bold2, bold1, shy2, shy1].map((child) => [child?.status, child?.errorMessage]),
    [
      ['queued', ''],
      ['skipped', `superseded by run ${bold2?.id}`],
      ['skipped', `skipped: pipeline already running (peer run ${shy1?.id})`],
      ['queued', ''],
    ],
  )
})

test('an executor may die at every operation of a call: there is one run', async (t) => {
  const source = pipeline("await triggerPipeline('other', { wait: true })")
  for (const dieWhen of ['before', 'after'] as const)
    for (let dieAt = 1; ; dieAt++) {
      const run = await attempts.open(t, source)
      insertPipeline(run.main, 'other')
      const first = await run.attempt({ dieAt, dieWhen })
      if (first.status === 'died') assert.equal((await run.attempt()).status, 'waiting')
      const [child, ...more] = children(run)
      assert.deepEqual(more, [])
      end(run, child?.id ?? '', 'success')
      const second = await run.attempt({ dieAt, dieWhen })
      assert.deepEqual(second.status === 'died' ? await run.attempt() : second, SUCCESS)
      assert.equal(children(run).length, 1)
      if (first.status !== 'died' && second.status !== 'died') break
    }
})
