import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGates, type GateResolution } from '../../../src/shared/db/gates.js'
import { createAttempts, RUN, type AttemptEnd, type TestRun } from '../../helpers/attempts.js'
import { until } from '../../helpers/until.js'

const attempts = createAttempts()
const SUCCESS = { status: 'success' }

const pipeline = (body: string): string => `export const pipeline = async () => {\n${body}\n}`
const say = (word: string): string =>
  `runtime.run({ name: 'say', command: { path: 'say', args: ['${word}'] } })`

function waitsOf(end: AttemptEnd): string[] {
  if (end.status !== 'waiting') throw new Error(`it ended: ${JSON.stringify(end)}`)
  return end.waits.map(({ reason }) => reason)
}

function resolve({ main }: TestRun, number: number, how: Partial<GateResolution> = {}): void {
  const gates = createGates(main)
  const gate = gates.findNumber(RUN, number)
  const resolution = { status: 'approved' as const, by: 'ann', comment: '', ...how }
  assert.ok(gate && gates.resolve(gate.id, resolution, Date.now()))
}

test('a run leaves its thread at a gate, is replayed, and goes on where it was', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      await ${say('before')}
      await orchestration.gate('deploy', { message: 'to production?' })
      console.log('passed')
      await ${say('after')}`),
  )
  assert.deepEqual(waitsOf(await run.attempt()), ['gate "deploy" waits for approval'])
  assert.deepEqual(waitsOf(await run.attempt()), ['gate "deploy" waits for approval'])
  const gates = createGates(run.main).listOfRun(RUN)
  assert.deepEqual(
    gates.map(({ name, message, status, approvedBy }) => ({ name, message, status, approvedBy })),
    [{ name: 'deploy', message: 'to production?', status: 'pending', approvedBy: '' }],
  )
  assert.match(
    gates[0]?.id ?? '',
    /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  )

  resolve(run, 1)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.machine.starts.length, 2)
  assert.equal(run.output(0), 'passed\n')
})

const ENDS: [string, Partial<GateResolution>, string][] = [
  ['a rejection', { status: 'rejected', by: 'bob' }, 'pipeline.gate "g": rejected by bob'],
  [
    'a rejection with its comment',
    { status: 'rejected', by: 'unknown', comment: 'not on a Friday' },
    'pipeline.gate "g": rejected by unknown: not on a Friday',
  ],
  ['a time-out', { status: 'timed_out', by: 'timeout' }, 'pipeline.gate "g": timed out'],
]
for (const [what, resolution, message] of ENDS)
  test(`${what} rejects the promise, with the same text at each replay`, async (t) => {
    const run = await attempts.open(
      t,
      pipeline(`
        await orchestration.gate('g').catch((error) => console.log(error.message))
        await orchestration.gate('second')`),
    )
    waitsOf(await run.attempt())
    resolve(run, 1, resolution)
    assert.deepEqual(waitsOf(await run.attempt()), ['gate "second" waits for approval'])
    assert.equal(run.output(0), `${message}\n`)
    resolve(run, 2)
    assert.deepEqual(await run.attempt(), SUCCESS)
    assert.equal(run.output(0), `${message}\n`)
  })

test('a gate whose time is over is timed out by the next executor, counted from its creation', async (t) => {
  const run = await attempts.open(t, pipeline("await orchestration.gate('g', { timeout: '1h' })"))
  const [wait] = ((await run.attempt()) as { waits: { dueAt: number }[] }).waits
  const inAnHour = Date.now() + 3_600_000
  assert.ok(wait && wait.dueAt <= inAnHour && wait.dueAt > inAnHour - 60_000)

  run.main.prepare('update gates set deadline_at = created_at').run()
  const end = await run.attempt()
  assert.equal(end.status, 'failed')
  assert.match('errorMessage' in end ? end.errorMessage : '', /pipeline\.gate "g": timed out/)
  const [gate] = createGates(run.main).listOfRun(RUN)
  assert.deepEqual([gate?.status, gate?.approvedBy], ['timed_out', 'timeout'])
})

test('while another branch runs the gate is noticed in the thread, and nothing is replayed', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      await Promise.all([
        runtime.run({ name: 'held', command: { path: 'gate' } }),
        orchestration.gate('side').then(() => ${say('release')}),
      ])`),
  )
  const attempt = run.attempt()
  await until('the gate is there', () => createGates(run.main).findNumber(RUN, 1))
  resolve(run, 1)
  await until('the branch goes on', () => run.machine.starts.length === 2)
  run.machine.openGate()
  assert.deepEqual(await attempt, SUCCESS)
})

test('several gates at once: the run waits for all, and takes those that are resolved', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      await Promise.all(['a', 'b'].map(async (name) => {
        await orchestration.gate(name)
        console.log(name)
      }))`),
  )
  assert.equal(waitsOf(await run.attempt()).length, 2)
  resolve(run, 2)
  assert.deepEqual(waitsOf(await run.attempt()), ['gate "a" waits for approval'])
  resolve(run, 1)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), 'b\na\n')
})

test('input that does not fit rejects at once, and there is no gate', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const say = (error) => console.log(error.message)
      await orchestration.gate().catch(say)
      await orchestration.gate('x', { timeout: 'soon' }).catch(say)
      await orchestration.gate('x', { message: 7 }).catch(say)
      await orchestration.gate('x', { approvers: [''] }).catch(say)`),
  )
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.deepEqual(run.output(0).split('\n').slice(0, -1), [
    'pipeline.gate requires (name[, options])',
    'pipeline.gate "x": invalid timeout "soon": expected a duration such as "90s" or "1h30m"',
    'pipeline.gate invalid options: message: Invalid input: expected string, received number',
    'pipeline.gate invalid options: approvers.0: Too small: expected string to have >=1 characters',
  ])
  assert.deepEqual(createGates(run.main).listOfRun(RUN), [])
})

test('an executor may die at every operation around a gate', async (t) => {
  const source = pipeline(`
    await ${say('before')}
    await orchestration.gate('deploy').catch(() => undefined)
    await ${say('after')}`)
  for (const dieWhen of ['before', 'after'] as const)
    for (let dieAt = 1; ; dieAt++) {
      const run = await attempts.open(t, source)
      const first = await run.attempt({ dieAt, dieWhen })
      if (first.status === 'died') waitsOf(await run.attempt())
      else waitsOf(first)
      assert.equal(createGates(run.main).listOfRun(RUN).length, 1)
      resolve(run, 1)
      const second = await run.attempt({ dieAt, dieWhen })
      assert.deepEqual(second.status === 'died' ? await run.attempt() : second, SUCCESS)
      assert.equal(run.machine.starts.length, 2)
      if (first.status !== 'died' && second.status !== 'died') break
    }
})
