import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { createLedger } from '../helpers/ledger.js'
import { ended, getTasks, outputOf, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { rmSync, writeFileSync } from 'node:fs'

const ARGS = ['--lease-ttl=2s', '--log-level=warn', '--max-in-flight=4']

/** Steps note their starts outside the system; `c` fails for as long as a file says so. */
const source = (ledger: string, broken: string): string => `
const step = (name: string, script: string, more = {}) =>
  runtime.run({ name, command: { path: 'sh', args: ['-c', 'echo ' + name + ' >> ${ledger}; ' + script] }, ...more })
export const pipeline = async () => {
  const a = await step('a', 'echo from a')
  const v = await volumes.create({ name: 'v' })
  await step('b', 'echo mounted > v/file', { mounts: { v } })
  let heard = ''
  await step('loud', 'seq 1 200', { onOutput: (_stream: string, data: string) => { heard += data } })
  const read = await step('read', 'cat v/file', { mounts: { v } })
  const c = await step('c', 'test ! -e ${broken}')
  console.log(a.stdout.trim(), read.stdout.trim(), heard.split('\\n').length)
  if (c.code !== 0) throw new Error('c failed')
  await step('d', 'sleep 0.3; echo done')
}`

interface Started {
  server: TestServer
  runId: string
  starts(): string[]
  mend(): void
}

/** A run that has failed at its step c. */
async function failedRun(t: Parameters<typeof startServer>[0], env = {}): Promise<Started> {
  const dir = tempDir(t)
  const ledger = createLedger(dir)
  const broken = join(dir, 'broken')
  writeFileSync(broken, '')
  const server = await startServer(t, { dir, args: ARGS, env })
  const id = await server.setPipeline('p', source(ledger.path, broken))
  const runId = await trigger(server, id)
  const run = await ended(server, runId)
  assert.match(run.error_message ?? '', /c failed/)
  assert.deepEqual(ledger.lines(), ['a', 'b', 'loud', 'read', 'c'])
  return {
    server,
    runId,
    starts: () => ledger.lines().slice(5),
    mend: () => rmSync(broken),
  }
}

async function post(
  server: TestServer,
  runId: string,
  verb: string,
  body?: unknown,
): Promise<void> {
  const response = await server.api(`/api/runs/${runId}/${verb}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  })
  assert.ok(response.ok, `${verb}: ${response.status} ${await response.text()}`)
}

test('a failed run is mended and resumed: what was kept ran once, all else twice', async (t) => {
  const { server, runId, starts, mend } = await failedRun(t)
  mend()
  await post(server, runId, 'resume')
  assert.equal((await ended(server, runId)).status, 'success')
  assert.deepEqual(starts(), ['b', 'read', 'c', 'd'])
  const tasks = await getTasks(server, runId)
  const find = (end: string) => tasks.find(({ path }) => path.endsWith(end))
  assert.equal(outputOf(find('/tasks/0-a')), 'from a\n')
  assert.equal(outputOf(find('/tasks/2-loud')).split('\n').length, 201)
  assert.equal(find('/earlier/1/tasks/4-c')?.payload.code, 1)
  const log = await (await server.api(`/api/runs/${runId}/logs?step=0`)).text()
  assert.equal(log, 'from a mounted 201\n'.repeat(2))

  await post(server, runId, 'rerun', { from: 'tasks/2-loud' })
  assert.equal((await ended(server, runId)).status, 'success')
  assert.deepEqual(starts().slice(4), ['b', 'loud', 'read', 'c', 'd'])
})

test('everything is killed in the middle of a resumed run: it goes on, and each step ran once', async (t) => {
  const { server, runId, starts, mend } = await failedRun(t)
  mend()
  await post(server, runId, 'resume')
  await until('the last step runs', () => starts().includes('d'))
  await server.killTree()
  const next = await startServer(t, { dir: server.dir, args: ARGS })
  assert.equal((await ended(next, runId)).status, 'success')
  assert.deepEqual(starts(), ['b', 'read', 'c', 'd'])
})

test('an api that dies right after it accepted a resume has accepted it', async (t) => {
  const env = { POCKETCI_FAULT: `api.run.restarted:1:${join(tempDir(t), 'died')}` }
  const { server, runId, starts, mend } = await failedRun(t, env)
  mend()
  await assert.rejects(() => post(server, runId, 'resume'))
  // the next api has another port
  const db = openDatabase(server.storage, { mode: 'read' })
  t.after(() => db.close())
  await until('the run ends well', () => createRuns(db).find(runId)?.status === 'success')
  assert.deepEqual(starts(), ['b', 'read', 'c', 'd'])
})

test('a resumed run can be stopped, and resumed again', async (t) => {
  const { server, runId, starts } = await failedRun(t)
  const hang = `export const pipeline = async () => {
    await runtime.run({ name: 'hang', command: { path: 'sleep', args: ['300'] } })
  }`
  await server.setPipeline('p', hang)
  await post(server, runId, 'resume')
  await until('it hangs', async () =>
    (await getTasks(server, runId)).some(({ payload }) => payload.status === 'running'),
  )
  await post(server, runId, 'stop')
  assert.equal((await ended(server, runId)).error_message, 'Run stopped by user')
  await server.setPipeline('p', hang.replace("'300'", "'0'"))
  await post(server, runId, 'resume')
  assert.equal((await ended(server, runId)).status, 'success')
  assert.deepEqual(starts(), [])
})
