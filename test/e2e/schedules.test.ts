import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRuns, type Run } from '../../src/shared/db/runs.js'
import { createSchedules } from '../../src/shared/db/schedules.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { runCli } from '../helpers/cli-process.js'
import { freePort } from '../helpers/free-port.js'
import { repoPath } from '../helpers/repo.js'
import { ended, getTasks, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const HOUR = 3_600_000
const ROUNDS = process.env['POCKETCI_TEST_LONG'] ? 50 : 3

const CONTENT = `export const schedules = { often: { every: '1h', args: ['hello'] } }
export const pipeline = async () => { console.log(pipelineContext.args, pipelineContext.triggeredBy) }`

/** The schedule of a server, through a connection of the test's own. */
function openSchedule(t: TestContext, { storage }: Pick<TestServer, 'storage'>, pipeline: string) {
  const db = openDatabase(storage, { mode: 'write' })
  t.after(() => db.close())
  const schedules = createSchedules(db)
  const runs = createRuns(db)
  const isDue = (): boolean => schedules.listDue(Date.now(), 1).length > 0
  return {
    /** As after `ms` during which nobody was there. */
    miss(ms: number): void {
      const set = db.prepare('update schedules set next_run_at = ? where pipeline_id = ?')
      assert.equal(set.run(Date.now() - ms, pipeline).changes, 1)
    },
    isDue,
    /** The scheduled runs once nothing is due any more. */
    async settled(): Promise<Run[]> {
      await until('nothing is due', () => !isDue())
      return runs.list({ page: 1, perPage: 200 }, pipeline).items
    },
  }
}

test('a schedule that is due starts one run, which ends like any other', async (t) => {
  const server = await startServer(t)
  const id = await server.setPipeline('timed', CONTENT)
  const schedule = openSchedule(t, server, id)
  schedule.miss(6 * HOUR + 1_000)
  const [run, ...others] = await schedule.settled()
  assert.ok(run)
  assert.equal(others.length, 0)
  assert.deepEqual([run.triggerType, run.triggeredBy], ['schedule', 'schedule:often'])
  assert.equal((await ended(server, run.id)).status, 'success')
  assert.deepEqual(await getTasks(server, run.id), [])
  const log = await (await server.api(`/api/runs/${run.id}/logs?step=0`)).text()
  assert.match(log, /\[ "hello" \] manual/)
  assert.match(server.log(), /schedule fired/)
  assert.equal(await server.stop(), 0)
})

for (const point of ['api.schedule.due', 'api.schedule.fired'])
  test(`an api that dies at ${point} neither loses nor doubles a run`, async (t) => {
    const mark = join(tempDir(t), 'died')
    const env = { POCKETCI_FAULT: `${point}:1:${mark}` }
    // the next api has to be found again
    const args = [`--port=${await freePort()}`]
    const server = await startServer(t, { args, env })
    const schedule = openSchedule(t, server, await server.setPipeline('timed', CONTENT))
    schedule.miss(1_000)
    await until('the api has died', () => existsSync(mark))
    const [run, ...others] = await schedule.settled()
    assert.deepEqual([run?.triggeredBy, others.length], ['schedule:often', 0])
    await until('an api is there', () =>
      server.api('/ready').then(
        () => true,
        () => false,
      ),
    )
    assert.equal((await schedule.settled()).length, 1)
  })

test(`${ROUNDS} kills of everything: each time that was due has one run`, async (t) => {
  const dir = tempDir(t)
  let server = await startServer(t, { dir })
  const id = await server.setPipeline('timed', CONTENT)
  const schedule = openSchedule(t, server, id)
  for (let round = 1; round <= ROUNDS; round++) {
    schedule.miss(HOUR * round)
    await sleep(Math.random() * 30)
    await server.killTree()
    server = await startServer(t, { dir })
    assert.equal((await schedule.settled()).length, round)
  }
})

test('a schedule that finds the queue full is tried again until there is room', async (t) => {
  const server = await startServer(t, { args: ['--max-in-flight=1', '--max-queue-size=0'] })
  const slow = await server.setPipeline(
    'slow',
    `export const pipeline = async () => {
      await runtime.run({ name: 'sleep', command: { path: 'sleep', args: ['300'] } })
    }`,
  )
  const schedule = openSchedule(t, server, await server.setPipeline('timed', CONTENT))
  const running = await trigger(server, slow)
  schedule.miss(1_000)
  await until('it was tried', () => server.log().includes('the queue is full'))
  assert.equal(schedule.isDue(), true)
  await server.api(`/api/runs/${running}/stop`, { method: 'POST' })
  const [run, ...others] = await schedule.settled()
  assert.equal(others.length, 0)
  assert.equal((await ended(server, run?.id ?? '')).status, 'success')
})

test('a server without the feature fires nothing; with it what was due comes once', async (t) => {
  const dir = tempDir(t)
  const before = await startServer(t, { dir })
  const id = await before.setPipeline('timed', CONTENT)
  const schedule = openSchedule(t, before, id)
  await before.stop()
  schedule.miss(3 * HOUR)
  const off = await startServer(t, { dir, args: ['--allowed-features=secrets'] })
  // it has done all that a server does at its start
  assert.equal((await off.api(`/api/pipelines/${id}/schedules`)).status, 200)
  await sleep(500)
  assert.equal(schedule.isDue(), true)
  await off.stop()
  await startServer(t, { dir })
  assert.equal((await schedule.settled()).length, 1)
})

test('the example schedule.ts is set and listed', async (t) => {
  const server = await startServer(t)
  const set = await server.cli('pipeline', 'set', repoPath('examples/schedule.ts'))
  assert.equal(set.code, 0, set.stderr)
  const env = { CI_SERVER_URL: server.url }
  const { stdout, stderr } = await runCli(['pipeline', 'schedule', 'ls', 'schedule'], { env })
  assert.equal(stderr, '')
  const [nightly, often] = stdout.split('\n')
  assert.match(
    nightly ?? '',
    /^nightly +cron +CRON_TZ=Europe\/Berlin 30 3 \* \* \* enabled +next: 20/,
  )
  assert.match(often ?? '', /^often +interval +30m +enabled +next: 20/)
  const run = await server.cli('pipeline', 'run', '--no-workdir', 'schedule')
  assert.match(run.stdout, /passed: the quick tests\n$/)
})
