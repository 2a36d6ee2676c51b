import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { openDatabase } from '../../src/shared/db/open.js'
import { BUSYBOX_IMAGE, docker, ensureBusybox } from '../helpers/docker-engine.js'
import { ended, getRun, getTasks, outputOf, runOnce, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { runWithWorkdir } from '../helpers/wire-client.js'

before(ensureBusybox)

const ARGS = ['--log-level=warn', '--lease-ttl=2s', '--keep-volumes=1h']

/** Writes what no second try would write, and fails behind it; `mend` makes it end well. */
const source = (code: number): string => `
export const pipeline = async () => {
  const v = await volumes.create({ name: 'v' })
  const step = (name: string, script: string) =>
    runtime.run({ name, image: '${BUSYBOX_IMAGE}', mounts: { v }, command: { path: 'sh', args: ['-c', script] } })
  await step('write', 'cat /proc/sys/kernel/random/uuid | tee -a v/file')
  const { code } = await step('fails', 'exit ${code}')
  if (code !== 0) throw new Error('it fails')
  await step('read', 'cat v/file')
}`

/** What a driver has of a run, and how somebody takes its volume away. */
const DRIVERS = {
  native: {
    list: async ({ dir }: TestServer, runId: string): Promise<string[]> =>
      namesIn(join(dir, 'native', `ci-${runId}`)).flatMap((name) =>
        name === 'instance' ? [] : name === 'volumes' ? ['volume'] : [name],
      ),
    async prune({ dir }: TestServer, runId: string): Promise<void> {
      rmSync(join(dir, 'native', `ci-${runId}`), { recursive: true })
    },
  },
  docker: {
    async list(_: TestServer, runId: string): Promise<string[]> {
      const filter = ['--filter', `label=pocketci.run=${runId}`]
      const containers = await docker('ps', '-aq', ...filter)
      const volumes = await docker('volume', 'ls', '-q', ...filter)
      return [
        ...containers.split('\n'),
        ...volumes.split('\n').map((name) => name && 'volume'),
      ].filter(Boolean)
    },
    async prune(_: TestServer, runId: string): Promise<void> {
      await docker('volume', 'rm', `ci-${runId}-v`)
    },
  },
}

for (const [driver, { list, prune }] of Object.entries(DRIVERS))
  describe(`kept volumes: ${driver}`, () => {
    const start = (t: Parameters<typeof startServer>[0], more: string[] = []) =>
      startServer(t, { args: [...ARGS, `--driver=${driver}`, ...more] })

    test('a resume finds what its steps have written, and does them not again', async (t) => {
      const server = await start(t)
      const { id: runId } = await runOnce(server, 'p', source(1))
      await until(
        'its containers are gone',
        async () => (await list(server, runId)).join() === 'volume',
      )
      const { kept_volumes: kept } = await getRun(server, runId)
      assert.deepEqual(kept?.names, ['v'])
      const leftMs = Date.parse(kept?.until ?? '') - Date.now()
      assert.ok(leftMs > 3_000_000 && leftMs <= 3_600_000, kept?.until)
      assert.match((await server.cli('run', 'show', runId)).stdout, /Volumes +v kept until /)

      await server.setPipeline('p', source(0))
      const { stdout } = await server.cli('run', 'resume', runId)
      assert.equal(stdout, `Run '${runId}' is resuming, with its volumes\n`)
      assert.equal((await ended(server, runId)).status, 'success')
      assert.match((await server.cli('run', 'show', runId)).stdout, /Restarted +\w+ \d+, \d{4}/)
      const outputs = await outputsOf(server, runId)
      assert.match(outputs['tasks/0-write'] ?? '', /^[0-9a-f-]{36}\n$/)
      assert.equal(outputs['tasks/2-read'], outputs['tasks/0-write'])

      // what was written behind the step is still there
      await server.cli('run', 'rerun', runId, '--from', '1')
      assert.equal((await ended(server, runId)).status, 'success')
      const again = await outputsOf(server, runId)
      assert.notEqual(again['tasks/0-write'], outputs['tasks/0-write'])
      assert.equal(again['tasks/2-read'], `${outputs['tasks/0-write']}${again['tasks/0-write']}`)

      await server.api('/api/pipelines/p', { method: 'DELETE' })
      await until('they go with the pipeline', async () => (await list(server, runId)).length === 0)
    })

    test('volumes that somebody took away: the steps are done again', async (t) => {
      const server = await start(t)
      const { id: runId } = await runOnce(server, 'p', source(1))
      await until(
        'its names are known',
        async () => (await getRun(server, runId)).kept_volumes?.names,
      )
      const before = await outputsOf(server, runId)
      await prune(server, runId)
      await server.setPipeline('p', source(0))
      assert.equal((await server.cli('run', 'resume', runId)).code, 0)
      assert.equal((await ended(server, runId)).status, 'success')
      const after = await outputsOf(server, runId)
      assert.equal(after['earlier/1/tasks/0-write'], before['tasks/0-write'])
      assert.equal(after['tasks/2-read'], after['tasks/0-write'])
      assert.match(server.log(), /volumes that were kept for a run are gone/)
      await removePipeline(server)
      await until('nothing is left', async () => (await list(server, runId)).length === 0)
    })

    test('they go when their time is over, the oldest when there are too many, and as ever without the flag', async (t) => {
      const server = await start(t, ['--keep-volumes-runs=2'])
      const id = await server.setPipeline('p', source(1))
      const runs: string[] = []
      for (let n = 0; n < 3; n++) {
        const runId = await trigger(server, id)
        await ended(server, runId)
        runs.push(runId)
      }
      const [first = '', second = '', third = ''] = runs
      const areKept = await Promise.all(
        runs.map(async (run) => !!(await getRun(server, run)).kept_volumes),
      )
      assert.deepEqual(areKept, [false, true, true])
      await until('the oldest are gone', async () => (await list(server, first)).length === 0)
      change(server, 'update kept_volumes set kept_until = 1 where run_id = ?', second)
      await until('its time is over', async () => (await list(server, second)).length === 0)
      assert.equal((await getRun(server, second)).kept_volumes, undefined)
      assert.deepEqual(await list(server, third), ['volume'])

      await server.stop()
      const args = [...ARGS, `--driver=${driver}`, '--keep-volumes=0']
      const without = await startServer(t, { dir: server.dir, args })
      await without.cli('run', 'resume', third)
      await ended(without, third)
      await until('they go with the run', async () => (await list(without, third)).length === 0)
    })
  })

test('a working directory is there for a resume; without it, and though an executor dies of that, the run ends', async (t) => {
  const mark = join(tempDir(t), 'died')
  const env = { POCKETCI_FAULT: `run.volumes.forgotten:1:${mark}` }
  const server = await startServer(t, { args: ARGS, env })
  const list = `export const pipeline = async () => {
    const workdir = await volumes.create({ name: 'workdir' })
    const { code } = await runtime.run({ name: 'look', mounts: { workdir }, command: { path: 'sh', args: ['-c', 'cat workdir/hello; exit CODE'] } })
    if (code !== 0) throw new Error('it fails')
  }`
  await server.setPipeline('p', list.replace('CODE', '3'))
  const workdir = [{ name: 'hello', content: 'from the folder' }]
  await runWithWorkdir(`${server.url}/api/pipelines/p/run`, null, workdir)
  const { items } = (await (await server.api('/api/runs')).json()) as { items: { id: string }[] }
  const runId = items[0]?.id ?? ''
  assert.equal((await ended(server, runId)).status, 'failed')
  await server.setPipeline('p', list.replace('CODE', '0'))
  assert.equal((await server.cli('run', 'resume', runId)).code, 0)
  assert.equal((await ended(server, runId)).status, 'success')
  assert.equal((await outputsOf(server, runId))['tasks/0-look'], 'from the folder')

  await until('its names are known', async () => (await getRun(server, runId)).kept_volumes?.names)
  await DRIVERS.native.prune(server, runId)
  assert.equal((await server.cli('run', 'rerun', runId, '--from', 'look')).code, 0)
  assert.match(
    (await ended(server, runId)).error_message ?? '',
    /the working directory of the run is gone/,
  )
  assert.ok(existsSync(mark))
  assert.equal((await server.cli('run', 'resume', runId)).code, 1)
})

for (const point of ['run.finish.committed', 'run.removed', 'run.cleaned', 'run.volumes.forgotten'])
  test(`an executor that dies at ${point} changes nothing about kept volumes`, async (t) => {
    const mark = join(tempDir(t), 'died')
    const env = { POCKETCI_FAULT: `${point}:1:${mark}` }
    const server = await startServer(t, { args: [...ARGS, '--driver=native'], env })
    const { id: runId } = await runOnce(server, 'p', source(1))
    const isPruned = point === 'run.volumes.forgotten'
    if (!isPruned) await until('the executor has died', () => existsSync(mark))
    await until('its names are known', async () => {
      change(server, 'update run_cleanups set due_at = 0 where run_id = ?', runId)
      return (await getRun(server, runId)).kept_volumes?.names
    })
    if (isPruned) await DRIVERS.native.prune(server, runId)
    await server.setPipeline('p', source(0))
    assert.equal((await server.cli('run', 'resume', runId)).code, 0)
    assert.equal((await ended(server, runId)).status, 'success')
    assert.ok(existsSync(mark), 'the executor has died')
    const outputs = await outputsOf(server, runId)
    assert.equal(outputs['tasks/2-read'], outputs['tasks/0-write'])
    assert.equal('earlier/1/tasks/0-write' in outputs, isPruned)
  })

async function outputsOf(server: TestServer, runId: string): Promise<Record<string, string>> {
  const tasks = await getTasks(server, runId)
  return Object.fromEntries(
    tasks.map((task) => [task.path.slice(`/pipeline/${runId}/`.length), outputOf(task)]),
  )
}

async function removePipeline(server: TestServer): Promise<void> {
  assert.ok((await server.api('/api/pipelines/p', { method: 'DELETE' })).ok)
}

function change({ storage }: TestServer, sql: string, ...values: string[]): void {
  const db = openDatabase(storage, { mode: 'write' })
  try {
    db.prepare(sql).run(...values)
  } finally {
    db.close()
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // it is gone, or just now
  }
}
