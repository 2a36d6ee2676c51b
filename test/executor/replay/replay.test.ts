import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createAttempts,
  MASTER_KEY,
  RUN,
  type AttemptEnd,
  type TestRun,
} from '../../helpers/attempts.js'
import { createSecrets } from '../../../src/shared/db/secrets.js'
import { AppError } from '../../../src/shared/errors.js'
import { encryptSecret } from '../../../src/shared/secrets/cipher.js'
import { until } from '../../helpers/until.js'

const attempts = createAttempts()
const SUCCESS = { status: 'success' }

const pipeline = (body: string): string => `export const pipeline = async () => {\n${body}\n}`
const say = (...words: string[]): string =>
  `runtime.run({ name: 'say', command: { path: 'say', args: ${JSON.stringify(words)} } })`

/** Dies with all of a run's work done, but its last result not on record. */
async function dieAtTheEnd(run: TestRun): Promise<void> {
  assert.deepEqual(await run.attempt(), SUCCESS)
  const { main } = run
  const last = Number(main.prepare('select max(seq) from journal').pluck().get())
  main.prepare('delete from journal where seq = ?').run(last)
  main
    .prepare(
      "update tasks set status = 'running', completed_at = null where step = (select max(step) from tasks)",
    )
    .run()
}

function errorOf(end: AttemptEnd): { code?: string; message: string } {
  if (end.status !== 'threw') throw new Error(`it ended: ${JSON.stringify(end)}`)
  return end.error as Error
}

test('a step whose result is missing is found, not started; its output has no gap and no repeat', async (t) => {
  const run = await attempts.open(t, pipeline(`await ${say('one', 'warn', 'two', 'say', 'three')}`))
  await dieAtTheEnd(run)
  const before = run.output(1)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(1), before)
  assert.equal(run.machine.starts.length, 1)
  assert.match(
    String(run.main.prepare("select value from journal where kind = 'result'").pluck().get()),
    /"stdout":"onethree","stderr":"two"/,
  )
})

const MISMATCHES: [string, string, RegExp][] = [
  [
    'another name',
    "update journal set name = 'volumes.create' where seq = 1",
    /effect 1 \(runtime\.run, number 1 of that name\): the journal has effect 1 \(volumes\.create/,
  ],
  [
    'other arguments',
    "update journal set args_hash = x'00' where seq = 1",
    /effect 1 \(runtime\.run.*: its arguments differ \(row 1/,
  ],
  [
    'another place',
    'update journal set occurrence = 7 where seq = 3',
    /effect 2 \(runtime\.run.*: its place among those of its name differs/,
  ],
  [
    'another parent',
    'update journal set parent = 9 where seq = 3',
    /effect 2 .*: it belongs to another sandbox/,
  ],
]
for (const [what, damage, message] of MISMATCHES)
  test(`an intent with ${what} fails the run and names the effect`, async (t) => {
    const run = await attempts.open(t, pipeline(`await ${say('a')}\nawait ${say('b')}`))
    await dieAtTheEnd(run)
    run.main.prepare(damage).run()
    const error = errorOf(await run.attempt())
    assert.equal(error.code, 'journal_mismatch')
    assert.match(error.message, message)
    assert.equal(run.machine.starts.length, 2)
  })

test('a pipeline that does not ask again for what is on record fails the run', async (t) => {
  const run = await attempts.open(t, pipeline(`await ${say('a')}\nawait ${say('b')}`))
  await dieAtTheEnd(run)
  run.main
    .prepare('update pipelines set program = ?')
    .run('module.exports.pipeline = async () => {}')
  run.main.prepare('update runs set program_version = (select version from pipelines)').run()
  const error = errorOf(await run.attempt())
  assert.equal(error.code, 'journal_mismatch')
  assert.match(
    error.message,
    /effect 1 \(runtime\.run, number 1 of that name\): the pipeline did not ask for it again/,
  )
})

const DAMAGES: [string, string, RegExp][] = [
  ['a missing row', 'delete from journal where seq = 2', /2 rows are there of 3/],
  [
    'a value that is no JSON',
    "update journal set value = '{' where seq = 2",
    /row 2: its value is not JSON/,
  ],
  [
    'a result of an effect that nobody began',
    'update journal set effect = 5 where seq = 2',
    /row 2: effect 5 is not under way/,
  ],
  ['an intent without a name', 'update journal set name = null where seq = 1', /row 1: name: /],
  [
    'output of what has none',
    "update journal set kind = 'output', value = '4' where seq = 2",
    /output up to chunk 4 of step 1, which is not in the log/,
  ],
  [
    'a second result',
    'insert into journal select run_id, 4, attempt, kind, effect, name, occurrence, parent, args_hash, outcome, value, at from journal where seq = 2',
    /row 4: effect 1 is not under way/,
  ],
]
for (const [what, damage, message] of DAMAGES)
  test(`a journal with ${what} is refused`, async (t) => {
    const run = await attempts.open(t, pipeline(`await ${say('a')}\nawait ${say('b')}`))
    await dieAtTheEnd(run)
    run.main.prepare(damage).run()
    const error = errorOf(await run.attempt())
    assert.equal(error.code, 'journal_damaged')
    assert.match(error.message, message)
  })

test('what is recorded is not done again: storage, console, random numbers, the clock', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const seen = [Math.random(), Date.now()]
      storage.set('n', { n: (storage.getAll('n')[0]?.payload.n ?? 0) + 1 })
      await ${say('a')}
      seen.push(Math.random(), Date.now())
      try { storage.get('missing') } catch (error) { seen.push(String(error)) }
      console.log(JSON.stringify(seen))
      await ${say('b')}
      console.log(JSON.stringify(storage.get('n')))`),
  )
  await dieAtTheEnd(run)
  // as if the last read, too, had never been recorded
  const lines = run.output(0)
  run.main
    .prepare(
      "delete from journal where seq >= (select max(seq) from journal where name = 'storage.get')",
    )
    .run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), lines)
  assert.match(lines, /\{"n":1\}/)
})

test('a failed assertion and a rejection are the same after a replay', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      await runtime.run({ name: 'x' }).catch((error) => console.log(error.message))
      try { assert.equal(1, 2) } catch { console.log('swallowed') }
      await ${say('a')}`),
  )
  const first = await run.attempt({ dieAt: 5 })
  assert.equal(first.status, 'died')
  const end = await run.attempt()
  assert.equal(end.status, 'failed')
  assert.match(JSON.stringify(end), /assertion_failed/)
  assert.equal(run.output(0).split('swallowed').length, 2)
})

test('a sleep goes on to its first deadline', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      let looks = 0
      await assert.eventuallyContainsString(() => String(++looks), '2', { timeoutMs: 60_000, intervalMs: 50_000 })
      console.log('slept')`),
  )
  const end = await run.attempt({
    onStart: ({ end }) =>
      void until('it sleeps', () => hasRow(run, 'sleep')).then(() => end('detach')),
  })
  assert.equal(errorOf(end).code, 'lease_lost')
  run.main.prepare('update journal set at = at - 50000').run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), 'slept\n')
})

test('a run keeps the program that it began with', async (t) => {
  const run = await attempts.open(t, pipeline(`await ${say('a')}\nconsole.log('first')`))
  assert.equal((await run.attempt({ dieAt: 5 })).status, 'died')
  run.main
    .prepare("update pipelines set program = 'module.exports.pipeline = async () => { throw 1 }'")
    .run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), 'first\n')
  const kept = run.main.prepare<[], number>('select count(*) from superseded_programs').pluck()
  assert.equal(kept.get(), 1)
  run.main
    .prepare(
      `update runs set status = 'success', completed_at = 1, executor_id = null where id = '${RUN}'`,
    )
    .run()
  assert.equal(kept.get(), 0)
})

test('a step that is lost is run once more, and says so; lost again it fails', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const heard = []
      await runtime.run({
        name: 'x',
        command: { path: 'say', args: ['begun', 'lose', ''] },
        onOutput: (stream, data) => void heard.push(data),
      }).catch((error) => console.log(error.message))
      console.log(heard.filter((data) => data === 'begun').length)`),
  )
  assert.deepEqual(await run.attempt(), SUCCESS)
  const [first = '', second = ''] = run.machine.starts
  assert.equal(second, `${first}-try2`)
  assert.match(run.output(1), /^begun\n\[pocketci\] the step was lost: .*\nbegun$/)
  assert.match(run.output(0), /could not get container status.*\n2\n/)
  const [task] = run.summary().tasks
  assert.deepEqual([task?.status, task?.tries], ['error', 2])
})

test('a container that was started and is gone is a lost one, not one to start as if nothing had been', async (t) => {
  const run = await attempts.open(t, pipeline(`await ${say('a')}`))
  await dieAtTheEnd(run)
  run.machine.containers.clear()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.match(run.output(1), /^a\n\[pocketci\] the step was lost: .*\na$/)
  assert.equal(run.summary().tasks[0]?.tries, 2)
})

test('a lost step that was not on record as such is lost once, whoever finds out', async (t) => {
  const source = pipeline(`
    const { stdout } = await runtime.run({ name: 'x', command: { path: 'say', args: ['begun', 'lose', ''] } }).catch(() => ({ stdout: 'gone' }))
    console.log(stdout)`)
  for (let dieAt = 3; dieAt < 16; dieAt++) {
    const run = await attempts.open(t, source)
    await run.attempt({ dieAt })
    assert.deepEqual(await run.attempt(), SUCCESS)
    assert.equal(run.machine.starts.length, 2, `died at ${dieAt}`)
    assert.equal(run.output(1).split('the step was lost').length, 2, `died at ${dieAt}`)
    assert.equal(run.output(0), 'gone\n')
  }
})

test('a time-out counts from the start of the step, not from when it was found again', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const { status, code } = await runtime.run({ name: 'x', timeout: '1h', command: { path: 'hang', args: [''] } })
      console.log(status, code)`),
  )
  const dying = run.attempt({
    onStart: ({ end }) =>
      void until('it runs', () => run.machine.starts.length > 0 && isRunning(run)).then(() =>
        end('detach'),
      ),
  })
  await dying
  run.main.prepare('update tasks set started_at = started_at - 3600000').run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), 'abort 124\n')
  assert.equal(run.machine.kills.length, 1)
})

test('a step that ended while nobody watched has not timed out, however late that is noticed', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
      const { status, code } = await runtime.run({ name: 'x', timeout: '1h', command: { path: 'say', args: ['a', 'exit', '4'] } })
      console.log(status, code)`),
  )
  await dieAtTheEnd(run)
  run.main.prepare('update tasks set started_at = started_at - 7200000').run()
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(0), 'complete 4\n')
})

test('a step that an executor killed for its time-out and could not record has timed out', async (t) => {
  for (const words of [
    ['exit', '143'],
    ['exit', '137'],
    ['lose', ''],
  ]) {
    const run = await attempts.open(
      t,
      pipeline(`
        const { status, code } = await runtime.run({ name: 'x', timeout: '1h', command: { path: 'say', args: ['a', ...${JSON.stringify(words)}] } })
        console.log(status, code)`),
    )
    await run.attempt({ dieAt: 4 })
    await until('it has ended', () => [...run.machine.containers.values()][0]?.status !== undefined)
    run.main.prepare("update tasks set status = 'running', started_at = 1").run()
    assert.deepEqual(await run.attempt(), SUCCESS)
    assert.equal(run.output(0), 'abort 124\n')
    assert.equal(run.machine.starts.length, 1)
  }
})

test('a detached run leaves its containers and its journal alone', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`await runtime.run({ name: 'x', command: { path: 'hang', args: [''] } })`),
  )
  const rows = () => run.main.prepare('select count(*) from journal').pluck().get()
  const end = await run.attempt({
    onStart: ({ end }) => void until('it runs', () => isRunning(run)).then(() => end('detach')),
  })
  assert.equal(errorOf(end).code, 'lease_lost')
  assert.deepEqual(run.machine.kills, [])
  assert.equal(rows(), 1)
})

test('an executor that lost its run while it slept neither writes nor kills', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(
      `await runtime.run({ name: 'x', timeout: '300ms', command: { path: 'hang', args: [''] } })`,
    ),
  )
  const zombie = run.attempt({
    onStart: ({ control }) => void takeAway(run, control),
  })
  assert.equal(errorOf(await zombie).code, 'lease_lost')
  assert.deepEqual(run.machine.kills, [])
})

test('an engine that is away is waited for, and the step says so', async (t) => {
  const run = await attempts.open(t, pipeline(`await ${say('a')}`))
  run.machine.failure = new AppError('driver_unavailable', 'no engine answers')
  const running = run.attempt()
  await until('the step waits', () =>
    /no engine answers; trying again/.test(run.summary().tasks[0]?.errorMessage ?? ''),
  )
  run.machine.failure = undefined
  assert.deepEqual(await running, SUCCESS)
  assert.equal(run.summary().tasks[0]?.errorMessage, '')
})

for (const change of ['replaced', 'deleted'])
  test(`a secret that was ${change} meanwhile is masked as the step knows it`, async (t) => {
    const run = await attempts.open(
      t,
      pipeline(`
        const sh = (...args) => runtime.run({ name: 'x', env: { K: 'secret:K' }, command: { path: 'say', args } })
        await sh('begun', 'gate', '', 'say', 'hunter2!')
        await sh('hunter2!')`),
    )
    const secrets = createSecrets(run.main)
    const set = (value: string): void => {
      const encryptedValue = encryptSecret(MASTER_KEY, 'global', 'K', value)
      secrets.upsert({ scope: 'global', key: 'K', encryptedValue }, 1)
    }
    set('hunter2!')
    await run.attempt({
      onStart: ({ end }) => void until('it runs', () => isRunning(run)).then(() => end('detach')),
    })
    run.machine.openGate()
    if (change === 'replaced') set('other value')
    else secrets.remove('global', 'K')
    assert.deepEqual(await run.attempt(), SUCCESS)
    assert.equal(run.output(1), 'begun***REDACTED***')
    assert.equal(run.output(2), '***REDACTED***', 'a run sees one value of a secret')
    run.main
      .prepare("update runs set status = 'success', completed_at = 1, executor_id = null")
      .run()
    assert.equal(run.main.prepare('select count(*) from run_secrets').pluck().get(), 0)
  })

/** As if it had slept past its lease while another executor claimed the run. */
async function takeAway(run: TestRun, control: { leaseUntil: number }): Promise<void> {
  await until('it runs', () => isRunning(run))
  control.leaseUntil = 0
  run.main.prepare('update runs set attempt = attempt + 1').run()
}

function isRunning(run: TestRun): boolean {
  return run.summary().tasks[0]?.status === 'running'
}

function hasRow(run: TestRun, name: string): boolean {
  return run.main.prepare('select 1 from journal where name = ?').get(name) !== undefined
}

test('what was noted about a start is not handed over as its output when that is replayed', async (t) => {
  const run = await attempts.open(
    t,
    pipeline(`
  let heard = ''
  await runtime.run({
    name: 'loud', command: { path: 'warn', args: ['oops'] },
    onOutput: (_stream, data) => { heard += data },
  })
  await runtime.run({ name: 'next', command: { path: 'say', args: [heard] } })`),
  )
  run.machine.progress = 'pulling\n'
  await dieAtTheEnd(run)
  assert.deepEqual(await run.attempt(), SUCCESS)
  assert.equal(run.output(2), 'pulling\noops')
})
