import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCli } from '../helpers/cli-process.js'
import { tiersOf } from '../helpers/processes.js'
import { ended, getRun, runOnce, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const SLEEP = `export const pipeline = async () => {
  await runtime.run({ name: 'wait', command: { path: 'sleep', args: ['300'] } })
}`

test('runs of a group never overlap and keep their order, over executors that are killed', async (t) => {
  const dir = tempDir(t)
  const ledger = join(dir, 'ledger')
  writeFileSync(ledger, '')
  chmodSync(ledger, 0o666)
  const server = await startServer(t, {
    dir,
    args: ['--executors=2', '--lease-ttl=1s', '--max-in-flight=6'],
  })
  const content = `export const pipeline = async () => {
    const script = 'echo "in $0 $1" >> ${ledger}; sleep 0.2; echo "out $0 $1" >> ${ledger}'
    const [group, number] = pipelineContext.args
    await runtime.run({ name: 'step', command: { path: 'sh', args: ['-c', script, group, number] } })
  }`
  const rule = {
    concurrency_mode: 'group',
    concurrency_group_template: 'shared:{{ index .Args 0 }}',
  }
  const pipelines = [
    await server.setPipeline('one', content, rule),
    await server.setPipeline('two', content, rule),
  ]
  const runs: string[] = []
  for (let at = 0; at < 24; at++)
    runs.push(await trigger(server, pipelines[at % 2] ?? '', [`g${at % 3}`, String(at)]))
  for (const count of [4, 10, 16]) {
    await until('some runs have begun', () => linesOf(ledger).length >= count)
    const [victim] = (await tiersOf(server)).filter(({ name }) => name.includes('executor'))
    if (victim) process.kill(victim.pid, 'SIGKILL')
  }
  for (const run of runs) assert.equal((await ended(server, run)).status, 'success')
  for (const group of ['g0', 'g1', 'g2']) {
    const of = linesOf(ledger).filter((line) => line.split(' ')[1] === group)
    const numbers = runs.map((_, at) => at).filter((at) => `g${at % 3}` === group)
    assert.deepEqual(
      of,
      numbers.flatMap((at) => [`in ${group} ${at}`, `out ${group} ${at}`]),
    )
  }
})

test('a newer run waits until the one that it supersedes has ended; the stream says for what', async (t) => {
  const server = await startServer(t)
  const id = await server.setPipeline('p', SLEEP, {
    concurrency_mode: 'group',
    concurrency_group_template: 'all',
    concurrency_cancel_running: true,
  })
  const first = await trigger(server, id)
  await until('it runs', async () => (await getRun(server, first)).status === 'running')
  const second = await trigger(server, id)
  const old = await ended(server, first)
  assert.deepEqual([old.status, old.error_message], ['failed', `superseded by run ${second}`])
  const run = await until('the new one runs', async () => {
    const now = await getRun(server, second)
    return now.status === 'running' ? now : undefined
  })
  assert.ok(String(run.started_at) >= String(old.completed_at), 'no overlap')

  await server.setPipeline('p', SLEEP, { concurrency_mode: 'serial' })
  await server.setPipeline('q', SLEEP, { concurrency_mode: 'serial' })
  const holder = await trigger(server, 'q')
  await until('it runs', async () => (await getRun(server, holder)).status === 'running')
  const sync = server.cli('pipeline', 'run', '--no-workdir', 'q')
  await until('both are shown', async () => {
    const { stdout } = await server.cli('queue')
    return stdout.includes(`run ${holder} holds the concurrency group`) ? stdout : undefined
  })
  const { stdout } = await server.cli('queue', '--json')
  const queue = JSON.parse(stdout) as { queued: { id: string; waiting: { kind: string } }[] }
  assert.deepEqual(queue.queued[0]?.waiting.kind, 'group')
  await server.api(`/api/runs/${queue.queued[0]?.id}/stop`, { method: 'POST' })
  const result = await sync
  assert.equal(result.code, 1)
  assert.match(result.stderr, new RegExp(`waiting: run ${holder} holds the concurrency group`))
})

test('a run that takes longer than its pipeline allows is stopped', async (t) => {
  const server = await startServer(t)
  const id = await server.setPipeline('slow', SLEEP, { run_timeout: '300ms' })
  const run = await ended(server, await trigger(server, id))
  assert.deepEqual(
    [run.status, run.error_message],
    ['failed', 'the run took longer than the run timeout of its pipeline'],
  )
  const quick = `export const pipeline = async () => {}`
  assert.equal((await runOnce(server, 'quick', quick)).status, 'success')
})

test('a run that requires a label waits for an executor that has it', async (t) => {
  const server = await startServer(t)
  const quick = `export const pipeline = async () => {}`
  const id = await server.setPipeline('gpu', quick, { labels: ['gpu', 'arm64'] })
  const run = await trigger(server, id)
  assert.equal((await runOnce(server, 'any', quick)).status, 'success', 'it holds up nobody')
  const waiting = (await getRun(server, run)) as { waiting_reason?: string }
  assert.equal(waiting.waiting_reason, 'no executor is there with the labels arm64, gpu')
  const storage = `--storage-sqlite-path=${server.storage}`
  const executor = startCli([
    'executor',
    '--driver=native',
    storage,
    '--labels=arm64,gpu,ssd',
    '--max-in-flight=1',
  ])
  t.after(() => {
    executor.child.kill('SIGTERM')
    return executor.exited
  })
  assert.equal((await ended(server, run)).status, 'success')
})

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').filter(Boolean)
}
