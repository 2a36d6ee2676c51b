import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProcess } from '../../src/executor/drivers/native/processes.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { createLedger, expectedLines, LINES, STEPS, tenSteps } from '../helpers/ledger.js'
import { tiersOf } from '../helpers/processes.js'
import { ended, getTasks, outputOf, trigger } from '../helpers/runs.js'
import { runWithWorkdir } from '../helpers/wire-client.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const isLong = Boolean(process.env['POCKETCI_TEST_LONG'])
/** Runs that are hit by a kill: four at each. */
const HITS = isLong ? 200 : 20
const RUNS = 4
const ARGS = ['--lease-ttl=2s', '--log-level=warn', '--max-in-flight=4']
const LONG_STEP = `export const pipeline = async () => {
  const { code } = await runtime.run({ name: 'long', command: { path: 'sh', args: ['-c', 'echo $$; exec sleep 300'] } })
  console.log(code)
}`

test(`SIGKILL of the executor at ${HITS} random points: every run ends well, every step ran once`, async (t) => {
  let hits = 0
  while (hits < HITS) {
    const dir = tempDir(t)
    const server = await startServer(t, { dir, args: ARGS })
    const ledger = createLedger(dir)
    const id = await server.setPipeline('ten', tenSteps(ledger))
    const all: string[] = []
    // a supervisor waits longer after each death: five are enough for one
    for (let kill = 0; kill < 5 && hits < HITS; kill++, hits += RUNS) {
      const runs: string[] = []
      for (let n = 0; n < RUNS; n++) {
        runs.push(await trigger(server, id))
        await sleep(Math.random() * 500)
      }
      await sleep(Math.random() * 2_000)
      await killExecutors(server)
      for (const run of runs) await checkRun(server, run)
      all.push(...runs)
    }
    assert.deepEqual(ledger.lines().sort(), expectedLines(all))
    await until('nothing is left', () => leftovers(server).length === 0, 60_000)
    await server.stop()
  }
})

test('SIGKILL of everything, and a new server on the same folder', async (t) => {
  const dir = tempDir(t)
  const ledger = createLedger(dir)
  const runs: string[] = []
  for (let round = 0; round < (isLong ? 20 : 3); round++) {
    const server = await startServer(t, { dir, args: ARGS })
    const id = await server.setPipeline('ten', tenSteps(ledger))
    runs.push(await trigger(server, id), await trigger(server, id))
    await sleep(300 + Math.random() * 1_500)
    await server.killTree()
  }
  const server = await startServer(t, { dir, args: ARGS })
  for (const run of runs) await checkRun(server, run)
  assert.deepEqual(ledger.lines().sort(), expectedLines(runs))
  await until('nothing is left', () => leftovers(server).length === 0, 60_000)
})

test('an executor that is stopped past its lease and woken up does nothing to a run that is another’s', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, { dir, args: [...ARGS, '--executors=2'] })
  const ledger = createLedger(dir)
  const id = await server.setPipeline('ten', tenSteps(ledger, 60))
  const runs = [await trigger(server, id), await trigger(server, id), await trigger(server, id)]
  await until('steps run', () => ledger.lines().length >= 3)
  const [first] = await executorsOf(server)
  assert.ok(first)
  process.kill(first, 'SIGSTOP')
  const attempts = (): number => Number(read(server, 'select sum(attempt) from runs'))
  // the other one has claimed what the first had
  await until('the runs are owned again', () => attempts() > runs.length, 20_000)
  await sleep(500)
  process.kill(first, 'SIGCONT')
  for (const run of runs) await checkRun(server, run)
  assert.deepEqual(ledger.lines().sort(), expectedLines(runs))
})

test('a graceful stop hands its runs over: the same process goes on under the next server', async (t) => {
  const dir = tempDir(t)
  const args = [...ARGS, '--drain-timeout=200ms']
  const server = await startServer(t, { dir, args })
  const ledger = createLedger(dir)
  const id = await server.setPipeline('ten', tenSteps(ledger))
  const run = await trigger(server, id)
  await until('steps run', () => ledger.lines().length >= 2)
  assert.equal(await server.stop(), 0)
  const again = await startServer(t, { dir, args })
  await checkRun(again, run)
  assert.deepEqual(ledger.lines().sort(), expectedLines([run]))
  assert.equal(read(again, 'select deaths from runs'), 0)
  assert.equal(read(again, 'select attempt from runs'), 2)
})

test('a run whose executor died is stopped by the next one; who asked stays on record', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, { dir, args: ARGS })
  const run = await trigger(server, await server.setPipeline('long', LONG_STEP))
  const pid = await longStepOf(server, run)
  await killExecutors(server)
  const response = await server.api(`/api/runs/${run}/stop`, { method: 'POST' })
  assert.equal(response.status, 200)
  const { status, error_message: message } = await ended(server, run)
  assert.deepEqual([status, message], ['failed', 'Run stopped by user'])
  assert.equal(findProcess(pid), undefined, 'the step runs on')
  assert.ok(Number(read(server, 'select stop_requested_at from runs')) > 0)
  assert.equal((await getTasks(server, run))[0]?.payload.status, 'aborted')
})

test('three deaths in a row without progress fail the run and kill what it left', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const run = await trigger(server, await server.setPipeline('long', LONG_STEP))
  const pid = await longStepOf(server, run)
  // during the first one the step was begun: that was progress
  for (let attempt = 1; attempt <= 4; attempt++) {
    await until('it is claimed', () => read(server, 'select attempt from runs') === attempt)
    await until('it is followed', async () => (await executorsOf(server)).length === 1)
    await killExecutors(server)
  }
  const { status, error_message: message } = await ended(server, run)
  assert.equal(status, 'failed')
  assert.match(
    message ?? '',
    /^the executor of this run died 3 times in a row without any progress/,
  )
  assert.equal(read(server, 'select error_code from runs'), 'executor_lost')
  assert.equal(findProcess(pid), undefined, 'the step runs on')
})

const POINTS = [
  ...['run.claimed:1', 'effect.intent.committed:4', 'effect.output.committed:3'],
  ...['effect.action.done:2', 'effect.result.committed:5', 'step.container.started:6'],
  ...['step.output.stored:2', 'step.output.complete:7', 'run.finish.committed:1', 'run.cleaned:1'],
]
for (const point of POINTS)
  test(`an executor that dies at ${point} loses nothing`, async (t) => {
    const dir = tempDir(t)
    const mark = join(dir, 'died')
    const env = { POCKETCI_FAULT: `${point}:${mark}` }
    const server = await startServer(t, { dir, args: ARGS, env })
    const ledger = createLedger(dir)
    const run = await trigger(server, await server.setPipeline('ten', tenSteps(ledger, 2)))
    await checkRun(server, run)
    await until('it has died', () => existsSync(mark))
    assert.deepEqual(ledger.lines().sort(), expectedLines([run]))
    await until('nothing is left', () => leftovers(server).length === 0, 60_000)
  })

test('a stop whose executor dies in the middle of it ends as a stop', async (t) => {
  const dir = tempDir(t)
  const mark = join(dir, 'died')
  const env = { POCKETCI_FAULT: `run.stop.heard:1:${mark}` }
  const server = await startServer(t, { dir, args: ARGS, env })
  const run = await trigger(server, await server.setPipeline('long', LONG_STEP))
  const pid = await longStepOf(server, run)
  assert.equal((await server.api(`/api/runs/${run}/stop`, { method: 'POST' })).status, 200)
  const { status, error_message: message } = await ended(server, run)
  assert.deepEqual([status, message], ['failed', 'Run stopped by user'])
  assert.ok(existsSync(mark))
  assert.equal(findProcess(pid), undefined, 'the step runs on')
})

test('a step whose processes died with the machine is run once more, and the rest of the run once', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, { dir, args: ARGS })
  const ledger = createLedger(dir)
  const note = (name: string, more = ''): string =>
    `await runtime.run({ name: '${name}', command: { path: 'sh', args: ['-c', 'echo ${name} >> ${ledger.path}; ${more}'] } })`
  const id = await server.setPipeline(
    'reboot',
    `export const pipeline = async () => {
      ${note('first')}
      ${note('second', `echo $$; grep -c second ${ledger.path} | grep -q 2 || sleep 300`)}
      ${note('third')}
    }`,
  )
  const run = await trigger(server, id)
  await until('the second step runs', () => ledger.lines().includes('second'))
  await server.killTree()
  killSteps(join(dir, 'native', `ci-${run}`))
  const again = await startServer(t, { dir, args: ARGS })
  assert.equal((await ended(again, run)).status, 'success')
  assert.deepEqual(ledger.lines(), ['first', 'second', 'second', 'third'])
  const [, second] = await getTasks(again, run)
  assert.match(outputOf(second, 'stderr'), /\[pocketci\] the step was lost: .* It runs once more/)
})

test('a working directory whose executor died in unpacking it is unpacked anew', async (t) => {
  const dir = tempDir(t)
  const mark = join(dir, 'died')
  const env = { POCKETCI_FAULT: `run.workdir.seeded:1:${mark}` }
  const server = await startServer(t, { dir, args: ARGS, env })
  await server.setPipeline(
    'workdir',
    `export const pipeline = async () => {
      const workdir = await volumes.create({ name: 'workdir' })
      await runtime.run({ name: 'show', mounts: { workdir }, command: { path: 'cat', args: ['workdir/a.txt'] } })
    }`,
  )
  const { events } = await runWithWorkdir(
    `${server.url}/api/pipelines/workdir/run`,
    [],
    [{ name: 'a.txt', content: 'hello\n' }],
  )
  assert.ok(existsSync(mark))
  assert.deepEqual(events.find(({ event }) => event === 'exit')?.['code'], 0)
  assert.ok(events.some(({ data }) => data === 'hello\n'))
})

test('an api that dies with a run accepted and not answered has accepted it', async (t) => {
  const dir = tempDir(t)
  const env = { POCKETCI_FAULT: `api.run.admitted:1:${join(dir, 'died')}` }
  const server = await startServer(t, { dir, args: [...ARGS, '--port=0'], env })
  const id = await server.setPipeline('quick', 'export const pipeline = async () => {}')
  await assert.rejects(trigger(server, id))
  await until('the run has ended', () => read(server, 'select status from runs') === 'success')
  assert.equal(read(server, 'select count(*) from runs'), 1)
})

test('the death of a thread is no more than that: the run goes on in another', async (t) => {
  const dir = tempDir(t)
  const mark = join(dir, 'died')
  const env = { POCKETCI_FAULT: `thread/effect.intent.committed:4:${mark}` }
  const server = await startServer(t, { dir, args: ARGS, env })
  const before = await executorsOf(server)
  const ledger = createLedger(dir)
  const run = await trigger(server, await server.setPipeline('ten', tenSteps(ledger, 2)))
  await checkRun(server, run)
  assert.ok(existsSync(mark))
  assert.match(server.log(), /the thread of a run has died/)
  assert.deepEqual(await executorsOf(server), before)
  assert.deepEqual(ledger.lines().sort(), expectedLines([run]))
})

/** It succeeded, and its output has neither gap nor repeat. */
async function checkRun(server: TestServer, run: string): Promise<void> {
  const { status, error_message: message } = await ended(server, run, 120_000)
  assert.deepEqual([status, message], ['success', undefined])
  const tasks = await getTasks(server, run)
  assert.equal(tasks.length, STEPS)
  const expected = Array.from({ length: LINES }, (_, at) => `line ${at + 1}\n`).join('')
  for (const task of tasks) {
    assert.equal(outputOf(task), expected)
    assert.equal(task.payload.status, 'success')
  }
  const heard = read(
    server,
    `select json_extract(payload, '$.heard') from storage_entries where run_id = '${run}'`,
  )
  assert.equal(heard, expected, 'what the pipeline was handed')
}

/** Kills the wrappers of a run and all that they have started, as the end of their machine would. */
function killSteps(dir: string): void {
  for (const container of readdirSync(join(dir, 'control'))) {
    const control = join(dir, 'control', container)
    const [wrapper] = readFileSync(join(control, 'claim'), 'utf8').split(' ')
    const [, leader] = readFileSync(join(control, 'start'), 'utf8').trim().split(' ')
    if (existsSync(join(control, 'exit'))) continue
    for (const pid of [-Number(wrapper), -Number(leader)]) process.kill(pid, 'SIGKILL')
  }
}

async function executorsOf(server: TestServer): Promise<number[]> {
  const tiers = await tiersOf(server)
  return tiers.filter(({ name }) => name.includes('executor')).map(({ pid }) => pid)
}

async function killExecutors(server: TestServer): Promise<void> {
  const pids = await until('an executor runs', async () => {
    const found = await executorsOf(server)
    return found.length > 0 ? found : undefined
  })
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}

/** The pid of the step's process. */
async function longStepOf(server: TestServer, run: string): Promise<number> {
  return until('the step runs', async () => {
    const [task] = await getTasks(server, run)
    const pid = Number.parseInt(outputOf(task), 10)
    return Number.isInteger(pid) ? pid : undefined
  })
}

function read(server: TestServer, sql: string): unknown {
  const db = openDatabase(server.storage, { mode: 'read' })
  try {
    return db.prepare(sql).pluck().get()
  } finally {
    db.close()
  }
}

/** Folders of runs that have ended. */
function leftovers(server: TestServer): string[] {
  const root = join(server.dir, 'native')
  return existsSync(root) ? readdirSync(root).filter((name) => name.startsWith('ci-')) : []
}
