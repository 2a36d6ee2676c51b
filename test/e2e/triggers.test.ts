import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../helpers/cli-process.js'
import { runCommand } from '../helpers/process.js'
import { BIN, repoPath } from '../helpers/repo.js'
import { ended, getRun, trigger, type ApiRun } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const ARGS = ['--lease-ttl=2s', '--log-level=warn', '--max-in-flight=1']

const calls = (next: string): string => `export const pipeline = async () => {
  const child = await triggerPipeline('${next}', { args: pipelineContext.args, wait: true })
  assert.equal(child.status, 'success', child.error)
  console.log('after ${next}')
}`
const LAST = 'export const pipeline = async () => { console.log(pipelineContext.args.join()) }'

async function consoleOf(server: TestServer, runId: string): Promise<string> {
  return (await server.api(`/api/runs/${runId}/logs?step=0`)).text()
}

/** It has a reason to wait already before it has begun, while its caller still runs. */
function isAtGate(run: (ApiRun & { waiting_reason?: string }) | undefined): boolean {
  return run?.waiting_reason?.startsWith('gate ') === true
}

async function runsOf(server: TestServer, pipeline: string): Promise<ApiRun[]> {
  const response = await server.api(`/api/pipelines/${pipeline}/runs`)
  return ((await response.json()) as { items: ApiRun[] }).items
}

test('a chain of runs that wait for one another passes through a single slot', async (t) => {
  const server = await startServer(t, { args: ARGS })
  for (const [name, source] of [
    ['a', calls('b')],
    ['b', calls('c')],
    ['c', calls('d')],
    ['d', LAST],
  ] as const)
    await server.setPipeline(name, source)
  const runs = await Promise.all(['one', 'two', 'three'].map((arg) => trigger(server, 'a', [arg])))
  for (const runId of runs) {
    const run = await ended(server, runId)
    assert.equal(run.status, 'success', run.error_message)
    assert.equal(await consoleOf(server, runId), 'after b\n')
  }
  for (const name of ['a', 'b', 'c', 'd']) assert.equal((await runsOf(server, name)).length, 3)
  const printed = await Promise.all(
    (await runsOf(server, 'd')).map(({ id }) => consoleOf(server, id)),
  )
  assert.deepEqual(printed.sort(), ['one\n', 'three\n', 'two\n'])
})

test('a circle of pipelines is refused where it closes', async (t) => {
  const server = await startServer(t, { args: ARGS })
  await server.setPipeline('ping', calls('pong'))
  await server.setPipeline('pong', calls('ping'))
  const run = await ended(server, await trigger(server, 'ping'))
  assert.equal(run.status, 'failed')
  assert.match(run.error_message ?? '', /"ping" is among its own callers: ping → pong → ping/)
  assert.equal((await runsOf(server, 'ping')).length, 1)
})

test('executors die while a run waits for another: each is done once', async (t) => {
  for (const point of ['effect.intent.committed:1', 'run.suspended:1', 'run.finish.committed:1']) {
    const dir = tempDir(t)
    const env = { POCKETCI_FAULT: `${point}:${dir}/died` }
    const server = await startServer(t, { dir, args: ARGS, env })
    await server.setPipeline('caller', calls('called'))
    await server.setPipeline('called', LAST)
    const run = await ended(server, await trigger(server, 'caller', ['x']))
    assert.equal(run.status, 'success', run.error_message)
    assert.equal((await runsOf(server, 'called')).length, 1)
  }
})

test('a run that waits for another can be stopped; the other one goes on', async (t) => {
  const server = await startServer(t, { args: ARGS })
  await server.setPipeline('caller', calls('gated'))
  await server.setPipeline(
    'gated',
    "export const pipeline = async () => { await orchestration.gate('hold') }",
  )
  const caller = await trigger(server, 'caller')
  const waiting = await until('the other run waits', async () => {
    const [run] = await runsOf(server, 'gated')
    return isAtGate(run) ? run : undefined
  })
  const { waiting_reason: reason } = (await getRun(server, caller)) as { waiting_reason?: string }
  assert.equal(reason, `run ${waiting.id} has not ended`)
  await server.api(`/api/runs/${caller}/stop`, { method: 'POST' })
  assert.equal((await ended(server, caller)).error_message, 'Run stopped by user')
  const gates = await server.api(`/api/runs/${waiting.id}/gates`)
  const [gate] = (await gates.json()) as { id: string }[]
  await server.api(`/api/gates/${gate?.id}/approve`, { method: 'POST' })
  assert.equal((await ended(server, waiting.id)).status, 'success')
})

test('a pipeline that is deleted under a run that waits for it wakes that run', async (t) => {
  const server = await startServer(t, { args: ARGS })
  await server.setPipeline('caller', calls('gated'))
  const gated = await server.setPipeline(
    'gated',
    "export const pipeline = async () => { await orchestration.gate('hold') }",
  )
  const caller = await trigger(server, 'caller')
  await until('the other run waits', async () => {
    const [run] = await runsOf(server, 'gated')
    return isAtGate(run)
  })
  assert.equal((await server.api(`/api/pipelines/${gated}`, { method: 'DELETE' })).status, 204)
  const run = await ended(server, caller)
  assert.equal(run.status, 'failed')
})

test('pocketci execute has no other pipelines, and nobody to approve', async (t) => {
  const file = join(tempDir(t), 'alone.ts')
  for (const [body, message] of [
    ["triggerPipeline('x')", /triggerPipeline is not available in this execution context/],
    ["orchestration.gate('x')", /pipeline\.gate "x": nobody can approve it: run the pipeline on a/],
  ] as const) {
    writeFileSync(file, `export const pipeline = async () => { await ${body} }`)
    const { code, stderr } = await runCommand(process.execPath, [BIN, 'execute', file])
    assert.equal(code, 1)
    assert.match(stderr, message)
  }
})

test('inputs reach a run from every command, and what does not fit is said', async (t) => {
  const server = await startServer(t, { args: ARGS })
  const file = repoPath('examples/inputs.ts')
  const set = await server.cli('pipeline', 'set', file)
  assert.equal(set.code, 0, set.stderr)
  const flags = ['--input', 'env=production', '--input', 'replicas=3']
  const alone = [BIN, 'execute', '--driver=native', ...flags, file]
  for (const { code, stdout, stderr } of [
    await server.cli('pipeline', 'run', ...flags, '--no-workdir', 'inputs'),
    await runCli(['pipeline', 'run', '-s', server.url, ...flags, 'inputs'], { cwd: tempDir(t) }),
    await runCommand(process.execPath, alone),
  ]) {
    assert.equal(code, 0, stderr)
    assert.match(stdout, /deployed to: production x 3\n$/)
  }
  const triggered = await server.cli('pipeline', 'trigger', 'inputs', '-i', 'dryRun=true', '--json')
  const { run_id: runId } = JSON.parse(triggered.stdout) as { run_id: string }
  assert.equal((await ended(server, runId)).status, 'success')
  assert.equal(await consoleOf(server, runId), 'would deploy to staging\n')
  const shown = await server.cli('run', 'show', runId)
  assert.match(shown.stdout, /^Inputs +env="staging" replicas=1 dryRun=true$/m)

  const message = /inputs\.env: expected one of staging, production, got \\?"nowhere/
  for (const { code, stderr } of [
    await server.cli('pipeline', 'run', '--input=env=nowhere', '--no-workdir', 'inputs'),
    await server.cli('pipeline', 'trigger', 'inputs', '--input=env=nowhere'),
    await runCommand(process.execPath, [BIN, 'execute', '--input=env=nowhere', file]),
  ]) {
    assert.equal(code, 1)
    assert.match(stderr, message)
  }
})
