import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOperations } from '../../../src/api/writes.js'
import { createExecutors } from '../../../src/shared/db/executors.js'
import { createKeptVolumes } from '../../../src/shared/db/kept-volumes.js'
import { createRuns } from '../../../src/shared/db/runs.js'
import { createTasks } from '../../../src/shared/db/tasks.js'
import { createAttempts, RUN, type AttemptOptions, type TestRun } from '../../helpers/attempts.js'
import { KEEP_NOTHING } from '../../helpers/storage.js'

const attempts = createAttempts()
const SUCCESS = { status: 'success' }
const KEEP = { keepMs: 60_000, maxRuns: 20 }
const FAILED = { status: 'failed', errorCode: 'pipeline_failed', errorMessage: 'why' } as const

/** `n` is the generation, as the pipeline's storage counts it. */
const pipeline = (body: string): string => `
const say = (name: string, ...words: string[]) =>
  runtime.run({ name, command: { path: 'say', args: words } })
export const pipeline = async () => {
  const n = Number(storage.getAll('n')[0]?.payload.n ?? 0) + 1
  storage.set('n', { n })
${body}
}`

const end = (
  run: TestRun,
  outcome: typeof FAILED | { status: 'success' } = FAILED,
  keep = KEEP_NOTHING,
): void => {
  const runs = createRuns(run.main)
  const { attempt = 0 } = runs.find(RUN) ?? {}
  assert.ok(runs.finish({ runId: RUN, attempt }, outcome, Date.now()))
  const kept = createKeptVolumes(run.main)
  if (kept.decide(RUN, keep, Date.now())) kept.setNames(RUN, [...run.machine.volumes])
}

/** The run goes into the queue again; what it left is cleaned up. */
const restart = (run: TestRun, from?: number | string, hasVolumes = false): void => {
  const executor = { id: 'x', pid: 1, host: 'h', capacity: 1, labels: [] }
  const executors = createExecutors(run.main)
  if (!executors.renew('x', Date.now() + 600_000))
    executors.register(executor, Date.now(), Date.now() + 600_000)
  const input = { runId: RUN, from, by: '', maxQueueSize: 1, now: Date.now() }
  const restarted = run.main.transaction(() =>
    createOperations(run.main).restartRun(input, new Map()),
  )()
  assert.deepEqual(restarted, { outcome: 'restarted', hasVolumes })
  run.main.prepare('delete from run_cleanups').run()
}

/** Ends and resumes it; what was started by its next attempt. */
const resume = async (run: TestRun, options?: AttemptOptions): Promise<string[]> => {
  end(run)
  restart(run)
  const before = run.machine.starts.length
  await run.attempt(options)
  return namesOf(run, before)
}

/** The same with --keep-volumes. */
const resumeKeeping = async (run: TestRun, options?: AttemptOptions): Promise<string[]> => {
  end(run, FAILED, KEEP)
  restart(run, undefined, true)
  const before = run.machine.starts.length
  await run.attempt(options)
  return namesOf(run, before)
}

/** Of containers: `3-name-hash`. */
const namesOf = (run: TestRun, from: number): string[] =>
  run.machine.starts.slice(from).map((id) =>
    id
      .replace(/^.*\//, '')
      .replace(/^\d+-/, '')
      .replace(/-[0-9a-f]{8}$/, ''),
  )

const pathsOf = (run: TestRun): Record<string, string> =>
  Object.fromEntries(
    createTasks(run.main)
      .listAfter(RUN, 0, 100)
      .map(({ path, status }) => [path.slice(`/pipeline/${RUN}/`.length), status]),
  )

test('what ended well is kept, what failed is done again, and the log says which is which', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  console.log('generation', n)
  const a = await say('a', 'one')
  const { code } = await say('b', a.stdout, 'exit', n === 1 ? '3' : '0')
  if (code !== 0) throw new Error('b')
  await say('c', 'three')`),
  )
  const first = await run.attempt()
  assert.equal(first.status, 'failed')
  assert.deepEqual(await resume(run), ['b', 'c'])
  assert.deepEqual(pathsOf(run), {
    'tasks/0-a': 'success',
    'earlier/1/tasks/1-b': 'failure',
    'tasks/1-b': 'success',
    'tasks/2-c': 'success',
  })
  assert.deepEqual(
    run.summary().tasks.map(({ step }) => step),
    [1, 2, 4, 5],
  )
  assert.equal(run.output(1), 'one')
  assert.equal(run.output(4), 'one')
  assert.equal(run.output(0), 'generation 1\ngeneration 2\n')
})

test('the same step that failed is done again with the same arguments', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  await say('good', 'x')
  await say('bad', 'b', 'exit', '1')
  await say('good', 'x')
  throw new Error('always')`),
  )
  await run.attempt()
  assert.deepEqual(await resume(run), ['bad'])
  assert.deepEqual(await resume(run), ['bad'])
  assert.equal(pathsOf(run)['earlier/2/tasks/1-bad'], 'failure')
  assert.equal(createRuns(run.main).find(RUN)?.generation, 3)
})

test('a kept step hands its output to the pipeline, piece by piece', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  const heard: string[] = []
  await runtime.run({
    name: 'loud', command: { path: 'say', args: ['x', 'hex', 'c3', 'warn', 'w', 'hex', 'a9', 'say', 'end'] },
    onOutput: (stream, data) => { heard.push(stream + ':' + data) },
  })
  const of = (stream: string) => heard.filter((h) => h.startsWith(stream)).map((h) => h.slice(7)).join('')
  console.log(of('stdout'), of('stderr'))
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resume(run), [])
  const [before, after] = run.output(0).trim().split('\n')
  assert.equal(before, 'xéend w')
  assert.equal(after, before)
})

test('what was noted about its start is not handed over as output of a kept step', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  let heard = ''
  await runtime.run({
    name: 'loud', command: { path: 'warn', args: ['oops'] },
    onOutput: (_stream, data) => { heard += data },
  })
  console.log(heard)
  if (n === 1) throw new Error('first')
  await say('end', 'x')`),
  )
  run.machine.progress = 'pulling\n'
  await run.attempt()
  assert.equal(run.output(1), 'pulling\noops')
  assert.deepEqual(await resume(run), ['end'])
  assert.equal(run.output(0), 'oops\noops\n')
})

test('volumes went with the end of the run: steps with mounts, sandboxes and reads are done again', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  const v = await volumes.create({ name: 'v' })
  const mounted = (name: string) =>
    runtime.run({ name, command: { path: 'say', args: ['m'] }, mounts: { v } })
  await mounted('mounted')
  await say('plain', 'p')
  await volumes.readFiles('v', ['f'])
  const box = await runtime.startSandbox({ name: 'box' })
  await box.exec({ command: { path: 'say', args: ['in'] } })
  await box.close()
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resume(run), ['mounted', 'box-sandbox', 'exec-say'])
  assert.equal(pathsOf(run)['tasks/1-plain'], 'success')
})

/** Volume `v` and a step on it by name. */
const MOUNTED = `
  const v = await volumes.create({ name: 'v' })
  const on = (name: string, ...words: string[]) =>
    runtime.run({ name, command: { path: 'say', args: [name, ...words] }, mounts: { v } })`

test('with the volumes kept, a step with mounts that ended well is kept as well', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${MOUNTED}
  await on('fetch')
  await on('build')
  const { code } = await on('test', 'exit', n < 3 ? '1' : '0')
  if (code !== 0) throw new Error('test')
  await on('publish')`),
  )
  await run.attempt()
  assert.deepEqual(await resumeKeeping(run), ['test'])
  assert.deepEqual(await resumeKeeping(run), ['test', 'publish'])
  // and when they are gone, none of it stands
  assert.deepEqual(await resume(run), ['fetch', 'build', 'test', 'publish'])
})

test('what is done again after a change of its volume: what the pipeline asks for when it knows of it', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${MOUNTED}
  const w = await volumes.create({ name: 'w' })
  await Promise.all([on('a', 'exit', n === 1 ? '1' : '0', 'wait', '5'), on('beside')])
  await on('after')
  await runtime.run({ name: 'other', command: { path: 'say', args: ['o'] }, mounts: { w } })
  await say('plain', 'p')
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resumeKeeping(run), ['a', 'after'])
})

test('a sandbox may change its volumes at any time', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${MOUNTED}
  await on('before')
  const box = await runtime.startSandbox({ name: 'box', mounts: { v } })
  await on('meanwhile')
  await box.close()
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resumeKeeping(run), ['box-sandbox', 'meanwhile'])
})

test('an unreached result of a step with mounts goes with the volumes', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${MOUNTED}
  if (n === 2) throw new Error('second')
  await on('a')
  await say('b', 'b')
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resumeKeeping(run), [])
  assert.deepEqual(await resume(run), ['a'])
})

test('re-run from a step with the volumes kept', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`${MOUNTED}
  for (const k of ['a', 'b', 'c']) await on(k)`),
  )
  await run.attempt()
  end(run, { status: 'success' }, KEEP)
  restart(run, 2, true)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(namesOf(run, 3), ['b', 'c'])
})

test('branches that change their order keep what is theirs', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  const order = n === 1 ? [1, 2, 3, 4] : [4, 2, 3, 1]
  const out = await Promise.all(order.map(async (k) => (await say('k', String(k), 'wait', String(k))).stdout))
  console.log(out.join(' '))
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resume(run), [])
  assert.equal(run.output(0), '1 2 3 4\n4 2 3 1\n')
})

test('an unreached result is kept for the generation after the next', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  await say('a', 'a')
  if (n === 2) throw new Error('second')
  await say('b', 'b')
  if (n === 1) throw new Error('first')`),
  )
  await run.attempt()
  assert.deepEqual(await resume(run), [])
  assert.deepEqual(await resume(run), [])
  assert.deepEqual(pathsOf(run), { 'tasks/0-a': 'success', 'tasks/1-b': 'success' })
})

test('re-run from a step: what was asked for before it is kept, all else is done again', async (t) => {
  const run = await attempts.open(t, pipeline(`for (const k of ['a', 'b', 'c']) await say(k, k)`))
  assert.deepEqual(await run.attempt(), SUCCESS)
  end(run, { status: 'success' })
  restart(run, 2)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(namesOf(run, 3), ['b', 'c'])
  end(run, { status: 'success' })
  restart(run, `/pipeline/${RUN}/tasks/2-c`)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(namesOf(run, 5), ['c'])
  const results = [{ from: 1 }, { from: 2 }, { from: 99 }].map(
    ({ from }) =>
      createOperations(run.main).restartRun(
        { runId: RUN, from, by: '', maxQueueSize: 1, now: Date.now() },
        new Map(),
      ).outcome,
  )
  assert.deepEqual(results, ['wrong_status', 'wrong_status', 'wrong_status'])
  end(run, { status: 'success' })
  const from = 2 // of the first generation
  const input = { runId: RUN, from, by: '', maxQueueSize: 1, now: Date.now() }
  assert.deepEqual(createOperations(run.main).restartRun(input, new Map()), {
    outcome: 'step_not_found',
  })
})

test('a run is not claimed before what its last generation left is removed', async (t) => {
  const run = await attempts.open(t, pipeline(`await say('a', 'a')\nthrow new Error('x')`))
  await run.attempt()
  end(run)
  restart(run)
  run.main
    .prepare("insert into run_cleanups (run_id, driver, due_at) values (?, 'native', 0)")
    .run(RUN)
  await assert.rejects(() => run.attempt(), /there is nothing to claim/)
  assert.equal(createRuns(run.main).hasClaimable({ now: Date.now(), labels: [] }), false)
  run.main.prepare('delete from run_cleanups').run()
  assert.equal(createRuns(run.main).hasClaimable({ now: Date.now(), labels: [] }), true)
  assert.equal((await run.attempt()).status, 'failed')
})

/** Every operation when run by `npm run test:long`, else each third. */
const STRIDE = process.env['POCKETCI_TEST_LONG'] ? 1 : 3

test('an executor that dies anywhere in a resumed run with kept volumes changes nothing about it', async (t) => {
  const source = pipeline(`${MOUNTED}
  await on('fetch')
  await Promise.all([on('a', 'exit', n === 1 ? '1' : '0', 'wait', '3'), on('beside')])
  await on('after')
  if (n === 1) throw new Error('first')`)
  const whole = await attempts.open(t, source)
  await whole.attempt()
  assert.deepEqual(await resumeKeeping(whole), ['a', 'after'])
  const expected = whole.summary()
  for (let dieAt = 1; dieAt <= whole.operations(); dieAt += STRIDE)
    for (const dieWhen of ['before', 'after'] as const) {
      const run = await attempts.open(t, source)
      await run.attempt()
      await resumeKeeping(run, { dieAt, dieWhen })
      const place = `${dieWhen} operation ${dieAt}`
      assert.deepEqual(await run.attempt(), SUCCESS, place)
      assert.deepEqual(run.summary(), expected, place)
      assert.deepEqual([...new Set(namesOf(run, 4))], ['a', 'after'], place)
    }
})

test('an executor that dies anywhere in a resumed run changes nothing about it', async (t) => {
  const source = pipeline(`
  const heard: string[] = []
  await runtime.run({
    name: 'loud', command: { path: 'say', args: ['one', 'wait', '2', 'say', 'two'] },
    onOutput: (_stream, data) => { heard.push(data) },
  })
  console.log(heard.join(''))
  await Promise.all(['a', 'b'].map((k) => say(k, k, 'wait', '1')))
  const { code } = await say('c', 'c', 'exit', n === 1 ? '1' : '0')
  if (code !== 0) throw new Error('c')
  await say('d', 'd')`)
  const whole = await attempts.open(t, source)
  await whole.attempt()
  assert.deepEqual(await resume(whole), ['c', 'd'])
  const expected = whole.summary()
  const operations = whole.operations()
  assert.ok(operations > 10, String(operations))
  for (let dieAt = 1; dieAt <= operations; dieAt += STRIDE)
    for (const dieWhen of ['before', 'after'] as const) {
      const run = await attempts.open(t, source)
      await run.attempt()
      const started = await resume(run, { dieAt, dieWhen })
      const place = `${dieWhen} operation ${dieAt}`
      assert.deepEqual(await run.attempt(), SUCCESS, place)
      assert.deepEqual(run.summary(), expected, place)
      assert.deepEqual([...new Set(namesOf(run, 4))], ['c', 'd'], `${place}: ${started.join()}`)
      assert.equal(run.machine.starts.length, 6, place)
    }
})
