import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tiersOf } from '../helpers/processes.js'
import { repoPath } from '../helpers/repo.js'
import { ended, getRun, getTasks, outputOf, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const ARGS = ['--lease-ttl=2s', '--log-level=warn', '--max-in-flight=1']

const step = (name: string): string =>
  `await runtime.run({ name: '${name}', command: { path: 'echo', args: ['${name}'] } })`
const gated = (options = ''): string => `export const pipeline = async () => {
  ${step('before')}
  await orchestration.gate('deploy'${options})
  console.log('passed')
  ${step('after')}
}`
const FAST = "export const pipeline = async () => { console.log('fast') }"

interface WireGate {
  id: string
  status: string
  approved_by: string
}

async function gatesOf(server: TestServer, runId: string): Promise<WireGate[]> {
  return (await (await server.api(`/api/runs/${runId}/gates`)).json()) as WireGate[]
}

/** Waits until the run has left its thread at its gate. */
async function atGate(server: TestServer, runId: string): Promise<WireGate> {
  await until('the run waits at its gate', async () => {
    const run = (await getRun(server, runId)) as { waiting_reason?: string }
    return run.waiting_reason === 'gate "deploy" waits for approval'
  })
  const [gate] = await gatesOf(server, runId)
  assert.ok(gate)
  return gate
}

async function approve(server: TestServer, { id }: WireGate): Promise<void> {
  const response = await server.api(`/api/gates/${id}/approve`, { method: 'POST' })
  assert.equal(response.status, 200, await response.text())
}

async function checkEnd(server: TestServer, runId: string): Promise<void> {
  const run = await ended(server, runId)
  assert.equal(run.status, 'success', run.error_message)
  const tasks = await getTasks(server, runId)
  assert.deepEqual(
    tasks.map((task) => outputOf(task)),
    ['before\n', 'after\n'],
  )
  const console = await server.api(`/api/runs/${runId}/logs?step=0`)
  assert.equal(await console.text(), 'passed\n')
}

test('runs at gates take no slot and no place in the queue: others pass', async (t) => {
  const server = await startServer(t, { args: [...ARGS, '--max-queue-size=1'] })
  const id = await server.setPipeline('gated', gated())
  const fast = await server.setPipeline('fast', FAST)
  const waiting: string[] = []
  for (let n = 0; n < 4; n++) {
    waiting.push(await trigger(server, id))
    await atGate(server, waiting[n] ?? '')
  }
  for (let n = 0; n < 3; n++)
    assert.equal((await ended(server, await trigger(server, fast))).status, 'success')

  for (const runId of waiting.toReversed()) {
    await approve(server, await atGate(server, runId))
    await checkEnd(server, runId)
  }
})

test('a run at a gate outlives its executor; it is approved while none lives', async (t) => {
  const dir = tempDir(t)
  const first = await startServer(t, { dir, args: ARGS })
  const runId = await trigger(first, await first.setPipeline('gated', gated()))
  await atGate(first, runId)
  for (const { name, pid } of await tiersOf(first))
    if (name.startsWith('pocketci executor')) process.kill(pid, 'SIGKILL')
  await atGate(first, runId)
  await first.killTree()

  const api = await startServer(t, { dir, args: ['--log-level=warn'], command: 'api' })
  await approve(api, await atGate(api, runId))
  assert.equal((await getRun(api, runId)).status, 'queued')
  await api.stop()

  const second = await startServer(t, { dir, args: ARGS })
  await checkEnd(second, runId)
})

test('a gate times out while no executor lives, and while one idles', async (t) => {
  const dir = tempDir(t)
  const first = await startServer(t, { dir, args: ARGS })
  const id = await first.setPipeline('gated', gated(", { timeout: '3s' }"))
  const runId = await trigger(first, id)
  await atGate(first, runId)
  await first.killTree()

  const api = await startServer(t, { dir, args: ['--log-level=warn'], command: 'api' })
  const gate = await until('the gate is timed out', async () =>
    (await gatesOf(api, runId)).find(({ status }) => status === 'timed_out'),
  )
  assert.equal(gate.approved_by, 'timeout')
  const late = await api.api(`/api/gates/${gate.id}/approve`, { method: 'POST' })
  assert.equal(late.status, 409)
  assert.equal(((await late.json()) as { error: string }).error, 'gate is already timed_out')
  await api.stop()

  const second = await startServer(t, { dir, args: ARGS })
  for (const run of [await ended(second, runId), await ended(second, await trigger(second, id))]) {
    assert.equal(run.status, 'failed')
    assert.match(run.error_message ?? '', /pipeline\.gate "deploy": timed out/)
  }
})

test('an executor that dies while it puts a run to its gate', async (t) => {
  for (const point of ['effect.intent.committed:2', 'run.suspended:1', 'run.replay.over:1']) {
    const dir = tempDir(t)
    const env = { POCKETCI_FAULT: `${point}:${dir}/died` }
    const server = await startServer(t, { dir, args: ARGS, env })
    const runId = await trigger(server, await server.setPipeline('gated', gated()))
    await approve(server, await atGate(server, runId))
    await checkEnd(server, runId)
  }
})

test('a run at a gate can be stopped, and its gate can be approved no more', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const runId = await trigger(server, await server.setPipeline('gated', gated()))
  const gate = await atGate(server, runId)
  await server.api(`/api/runs/${runId}/stop`, { method: 'POST' })
  const run = await ended(server, runId)
  assert.deepEqual([run.status, run.error_message], ['failed', 'Run stopped by user'])
  assert.equal((await gatesOf(server, runId))[0]?.status, 'pending')
  const response = await server.api(`/api/gates/${gate.id}/approve`, { method: 'POST' })
  assert.equal(response.status, 409)
})

test('with the feature off a gate fails its run at once, and the API says so', async (t) => {
  const server = await startServer(t, { args: [...ARGS, '--allowed-features=secrets'] })
  const runId = await trigger(server, await server.setPipeline('gated', gated()))
  const run = await ended(server, runId)
  assert.match(run.error_message ?? '', /pipeline\.gate "deploy": gates feature is not enabled/)
  for (const [method, path] of [
    ['GET', `/api/runs/${runId}/gates`],
    ['POST', '/api/gates/x/approve'],
    ['POST', '/api/gates/x/reject'],
  ] as const) {
    const response = await server.api(path, { method })
    assert.equal(response.status, 403)
    const { error } = (await response.json()) as { error: string }
    assert.equal(error, 'gates feature is not enabled')
  }
})

test('the example gate.ts, as its page has it', async (t) => {
  const server = await startServer(t)
  const set = await server.cli('pipeline', 'set', repoPath('examples/gate.ts'))
  assert.equal(set.code, 0, set.stderr)
  const triggered = await server.cli('pipeline', 'trigger', 'gate', '--json')
  const { run_id: runId } = JSON.parse(triggered.stdout) as { run_id: string }
  const { id } = await atGate(server, runId)
  const listed = await server.cli('gate', 'ls')
  assert.match(listed.stdout, new RegExp(`${id} .*version 42 to production\\?`))
  const approved = await server.cli('gate', 'approve', id, '--comment', 'ticket 42')
  assert.equal(approved.stdout, "Gate 'deploy' approved\n")
  assert.equal((await ended(server, runId)).status, 'success')
})

test('a sandbox that is open stays open while its run waits', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const id = await server.setPipeline(
    'sandbox',
    `export const pipeline = async () => {
      const sandbox = await runtime.startSandbox({ image: 'busybox' })
      await sandbox.exec({ command: { path: 'sh', args: ['-c', 'echo 42 > answer'] } })
      await orchestration.gate('deploy')
      const { stdout } = await sandbox.exec({ command: { path: 'cat', args: ['answer'] } })
      assert.equal(stdout, '42\\n')
    }`,
  )
  const runId = await trigger(server, id)
  await approve(server, await atGate(server, runId))
  const run = await ended(server, runId)
  assert.equal(run.status, 'success', run.error_message)
})
