import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createExecutors } from '../../src/shared/db/executors.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { createLedger, expectedLines, tenSteps } from '../helpers/ledger.js'
import { ended, trigger } from '../helpers/runs.js'
import { BIN } from '../helpers/repo.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

/** Far longer than the test may take: a run that waited for a lease would not end in it. */
const LEASE_TTL = '10m'
const SLOTS = 2

test('executors are replaced one by one under load: no run is lost, and none waits for a lease', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, {
    ...{ dir, command: 'api' },
    args: ['--max-queue-size=100', '--log-level=warn', `--lease-ttl=${LEASE_TTL}`],
  })
  const db = openDatabase(server.storage, { mode: 'read' })
  t.after(() => db.close())
  const capacity = (): number => createExecutors(db).totalCapacity(Date.now())
  const running = (): number =>
    Number(db.prepare("select count(*) from runs where status = 'running'").pluck().get())

  let executors = [startExecutor(t, server), startExecutor(t, server)]
  await until('both serve', () => capacity() === 2 * SLOTS)
  const ledger = createLedger(dir)
  const id = await server.setPipeline('ten', tenSteps(ledger, 20))
  const runs: string[] = []
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 3; n++) runs.push(await trigger(server, id))
    await until('all slots are taken', () => running() === 2 * SLOTS || isIdle(db))
    // the new one serves before the old one goes
    const [oldest, ...others] = executors
    const next = startExecutor(t, server)
    await until('the new one serves', () => capacity() === 3 * SLOTS)
    assert.equal(await oldest?.stop(), 0)
    executors = [...others, next]
    assert.equal(capacity(), 2 * SLOTS)
  }
  for (const run of runs) assert.equal((await ended(server, run)).status, 'success')
  assert.deepEqual(ledger.lines().sort(), expectedLines(runs))
  assert.equal(db.prepare('select sum(deaths) from runs').pluck().get(), 0)
  const moved = Number(db.prepare('select count(*) from runs where attempt > 1').pluck().get())
  assert.ok(moved > 0, 'no run has changed its executor')
})

function isIdle(db: ReturnType<typeof openDatabase>): boolean {
  return db.prepare("select 1 from runs where status = 'queued'").get() === undefined
}

/** `pocketci executor`, stopped with the test; `stop` answers its exit code. */
function startExecutor(t: TestContext, { storage, dir }: TestServer) {
  const child = spawn(
    process.execPath,
    [
      ...['--enable-source-maps', BIN, 'executor', '--driver=native', '--log-level=warn'],
      ...[`--storage-sqlite-path=${storage}`, `--native-root=${join(dir, 'native')}`],
      ...[`--max-in-flight=${SLOTS}`, `--lease-ttl=${LEASE_TTL}`, '--drain-timeout=50ms'],
    ],
    { stdio: 'ignore' },
  )
  const exited = once(child, 'exit') as Promise<[number | null]>
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null) child.kill('SIGTERM')
    const [code] = await exited
    return code
  }
  t.after(stop)
  return { stop }
}
