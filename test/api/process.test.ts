import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { loadConfig } from '../../src/shared/config/load-config.js'
import {
  reportSchema,
  type Report,
  type StartMessage,
} from '../../src/shared/contract/supervision.js'
import { createLogChunks } from '../../src/shared/db/log-chunks.js'
import { logsPathOf } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { createTasks } from '../../src/shared/db/tasks.js'
import { readEvents } from '../helpers/api.js'
import { CLAIMER, insertPipeline, openForTest, tempStorage } from '../helpers/storage.js'

type Scope = Parameters<typeof tempStorage>[0]

const MIB = 1_048_576
const CHUNK = Buffer.from('a line of output "with quotes"\tand so on\n'.repeat(1_600)).subarray(
  0,
  65_536,
)
const CHUNKS = 4_000
const BYTES = CHUNKS * CHUNK.length
/** Far below the log's size; how much of it is garbage depends on what else the machine does. */
const MAX_GROWTH = 96 * MIB

test('a log of 250 MB is answered as JSON, as bytes and as events in flat memory', async (t) => {
  const { url, path, child } = await startProcess(t)
  const runId = storeLoudRun(t, path)
  const readAll = async (): Promise<void> => {
    const raw = createHash('sha256')
    for await (const part of (await fetch(`${url}/api/runs/${runId}/logs?step=1`)).body ?? [])
      raw.update(part)
    assert.equal(raw.digest('hex'), hashOf(CHUNK, CHUNKS))
    let bytes = 0
    for await (const part of (await fetch(`${url}/api/runs/${runId}/tasks`)).body ?? [])
      bytes += part.length
    assert.ok(bytes > BYTES)
  }
  // the first round leaves the garbage that the collector always lets lie
  await readAll()
  const memory = watchMemory(child)
  await readAll()

  let skipped = 0
  let shown = 0
  for await (const event of readEvents(await fetch(`${url}/api/runs/${runId}/events`))) {
    if (typeof event === 'string') continue
    if (event.data['type'] === 'skipped') skipped += Number(event.data['bytes'])
    if (event.data['type'] === 'output') shown += String(event.data['text']).length
  }
  assert.ok(shown >= MIB && shown < 2 * MIB, `${shown} shown`)
  assert.equal(skipped, BYTES - MIB)
  const page = await (await fetch(`${url}/runs/${runId}/tasks`)).text()
  assert.ok(page.length < 100 * 1_024, `a page of ${page.length}`)
  const growth = memory.stop()
  assert.ok(growth < MAX_GROWTH, `${growth / MIB} MiB more`)
})

test('a reader that does not read costs no memory, and gets all when it does', async (t) => {
  const { url, path, child } = await startProcess(t)
  const db = openForTest(t, path, 'write')
  insertPipeline(db, 'p')
  const response = await fetch(`${url}/api/pipelines/p/run`, { method: 'POST' })
  const runId = response.headers.get('x-run-id') ?? ''
  const runs = createRuns(db)
  runs.claim({ executorId: 'x', limit: 1, now: Date.now(), leaseTtlMs: 60_000, ...CLAIMER })
  const memory = watchMemory(child)
  printLoudly(t, path, runId)
  runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  for (let at = 0; at < 50; at++) assert.equal((await fetch(`${url}/health`)).status, 200)
  const waiting = memory.stop()
  assert.ok(waiting < MAX_GROWTH, `${waiting / MIB} MiB more`)

  let bytes = 0
  let last: unknown
  for await (const event of readEvents(response)) {
    if (typeof event === 'string') continue
    if ('data' in event.data) bytes += String(event.data['data']).length
    last = event.data
  }
  assert.equal(bytes, BYTES)
  assert.deepEqual(last, { event: 'exit', code: 0, run_id: runId })
})

test('told to stop it takes no new runs, told to close it ends its streams and itself', async (t) => {
  const { url, path, child } = await startProcess(t)
  insertPipeline(openForTest(t, path, 'write'), 'p')
  const running = await fetch(`${url}/api/pipelines/p/run`, { method: 'POST' })
  child.send({ type: 'stop' })
  let status = 202
  while (status === 202)
    ({ status } = await fetch(`${url}/api/pipelines/p/trigger`, { method: 'POST' }))
  assert.equal(status, 503)
  assert.equal((await fetch(`${url}/api/runs`)).status, 200)

  const exited = once(child, 'exit')
  child.send({ type: 'close' })
  assert.match(await running.text(), /the server is stopping/)
  assert.deepEqual(await exited, [0, null])
})

test('a port that is taken is said with the flag that helps', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { report } = await forkApi(t, tempStorage(t), port)
  assert.ok(report.type === 'fatal')
  assert.equal(report.error.code, 'port_in_use')
  assert.equal(
    report.error.message,
    `--port ${port} is in use by another program; stop it or choose another with --port`,
  )
})

async function startProcess(t: Scope): Promise<{ url: string; path: string; child: ChildProcess }> {
  const path = tempStorage(t)
  const { report, child } = await forkApi(t, path, 0)
  assert.ok(report.type === 'ready' && report.url, JSON.stringify(report))
  return { url: report.url, path, child }
}

/** The real entry, with the test as its supervisor; answers its first report. */
async function forkApi(
  t: Scope,
  path: string,
  port: number,
): Promise<{ report: Report; child: ChildProcess }> {
  const child = fork(new URL('../../src/api/main.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let stderr = ''
  child.stderr?.on('data', (part: Buffer) => (stderr += part.toString()))
  const exited = once(child, 'exit')
  t.after(async () => {
    if (child.exitCode === null) child.kill('SIGKILL')
    await exited
  })
  const flags = { port: [String(port)], 'storage-sqlite-path': [path], 'log-level': ['warn'] }
  const start: StartMessage = {
    type: 'start',
    title: 'pocketci api',
    config: loadConfig(flags, {}),
    secretKey: Buffer.alloc(32, 1).toString('base64'),
  }
  child.send(start)
  const [message] = await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error(`the api ended: ${stderr}`))),
  ])
  return { report: reportSchema.parse(message), child }
}

function storeLoudRun(t: Scope, path: string): string {
  const db = openForTest(t, path, 'write')
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  const runId = 'loud'
  runs.insert(
    {
      id: runId,
      pipelineId: 'p',
      triggerType: 'cli',
      triggeredBy: '',
      triggerInput: {},
      requestId: '',
    },
    1,
  )
  runs.claim({ executorId: 'x', limit: 1, now: Date.now(), leaseTtlMs: 60_000, ...CLAIMER })
  const claim = { runId, attempt: 1 }
  createTasks(db).insert(claim, { step: 1, path: `/pipeline/${runId}/tasks/0-loud`, name: 'loud' })
  printLoudly(t, path, runId)
  runs.finish(claim, { status: 'success' }, Date.now())
  return runId
}

function printLoudly(t: Scope, path: string, runId: string): void {
  const db = openForTest(t, logsPathOf(path), 'write')
  db.pragma('synchronous = OFF')
  const logs = createLogChunks(db)
  for (let seq = 1; seq <= CHUNKS; seq++)
    logs.insert({ runId, step: 1, seq, stream: 'stdout', at: Date.now(), bytes: CHUNK })
}

function hashOf(part: Buffer, times: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < times; at++) hash.update(part)
  return hash.digest('hex')
}

/** Samples the memory of a process; `stop` answers how much more than at the start it had at most. */
function watchMemory({ pid }: ChildProcess): { stop(): number } {
  const read = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024
  const start = read()
  let peak = start
  const timer = setInterval(() => (peak = Math.max(peak, read())), 10)
  return {
    stop() {
      clearInterval(timer)
      return peak - start
    },
  }
}
