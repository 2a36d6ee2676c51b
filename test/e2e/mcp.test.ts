import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectMcp } from '../helpers/mcp-client.js'
import { startServer } from '../helpers/server.js'

const step = (name: string, script: string): string =>
  `await runtime.run({ name: '${name}', command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}] } })`
const pipelineOf = (test: string): string => `export const pipeline = async () => {
  ${step('build', 'echo built in 3 s')}
  const { code } = ${step('test', test)}
  if (code !== 0) throw new Error('the tests failed')
}`
const GOOD = pipelineOf('echo "0 errors in 12 ms"; echo all well')
const BAD = pipelineOf(
  'echo "0 errors in 15 ms"; echo "AssertionError: expected 1, got 2" >&2; echo over; exit 3',
)
const GATED = "export const pipeline = async () => { await orchestration.gate('deploy') }"

test('a client sets a pipeline, runs it, follows it and learns why it failed', async (t) => {
  const server = await startServer(t, { args: ['--log-level=warn'] })
  const { call } = await connectMcp(t, server.url)
  const set = (content: string) => call('set_pipeline', { name: 'shop', content })
  const run = async () => {
    const { run_id: id } = await call('trigger_run', { pipeline: 'shop' })
    for (;;) {
      const { is_over: isOver, run: state } = await call('wait_for_run', { run_id: id })
      if (isOver) return state
    }
  }
  const { id: pipelineId } = await set(GOOD)
  const green = await run()
  assert.equal(green.status, 'success', green.error_message)
  await set(BAD)
  const red = await run()
  assert.equal(red.status, 'failed')

  const why = await call('get_failed_tasks', { run_id: red.id })
  assert.equal(why['run'].id, red.id)
  assert.match(why['run'].error_message, /the tests failed/)
  assert.equal(why['failed_tasks'].length, 1)
  const [failed] = why['failed_tasks']
  assert.deepEqual([failed.name, failed.status, failed.code], ['test', 'failure', 3])
  assert.deepEqual(failed.error_lines, [
    { text: '0 errors in 15 ms', is_new: false },
    { text: 'AssertionError: expected 1, got 2', is_new: true },
  ])
  assert.match(JSON.stringify(failed.logs), /over/)
  assert.equal(failed.last_green.status, 'success')
  assert.equal(why['last_green_run'].id, green.id)
  assert.equal(why['last_green_run'].pipeline_changed, true)

  const { items } = await call('list_runs', { pipeline: 'shop', status: 'failed' })
  assert.deepEqual(
    items.map(({ id }: { id: string }) => id),
    [red.id],
  )
  const found = await call('search_tasks', { run_id: red.id, query: 'asserti expect' })
  assert.deepEqual(found['tasks'][0].lines, ['AssertionError: expected 1, got 2'])
  const runs = await call('search_tasks', { pipeline_id: pipelineId, query: 'success' })
  assert.deepEqual([runs['total_items'], runs['items'][0].id], [1, green.id])
})

test('a client finds what waits for a person, approves it and stops what it does not want', async (t) => {
  const server = await startServer(t, { args: ['--log-level=warn'] })
  const { call, fail } = await connectMcp(t, server.url)
  await call('set_pipeline', { name: 'shop', content: GATED })
  const { run_id: id } = await call('trigger_run', { pipeline: 'shop' })
  const waited = await call('wait_for_run', { run_id: id, timeout_seconds: 50 })
  assert.deepEqual([waited['is_over'], waited['run'].waiting.kind], [false, 'gate'])
  const { items: gates } = await call('list_gates', { status: 'pending' })
  assert.deepEqual(
    gates.map((gate: { run_id: string }) => gate.run_id),
    [id],
  )
  const gate = await call('approve_gate', { gate_id: gates[0].id, comment: 'fine' })
  assert.deepEqual([gate['status'], gate['comment']], ['approved', 'fine'])
  const over = await call('wait_for_run', { run_id: id, timeout_seconds: 50 })
  assert.deepEqual([over['is_over'], over['run'].status], [true, 'success'])
  assert.match(await fail('reject_gate', { gate_id: gates[0].id }), /already approved/)

  const { run_id: other } = await call('trigger_run', { pipeline: 'shop' })
  await call('wait_for_run', { run_id: other, timeout_seconds: 50 })
  assert.equal((await call('stop_run', { run_id: other }))['status'], 'stopped')
  const { run } = await call('wait_for_run', { run_id: other })
  assert.deepEqual([run.status, run.error_message], ['failed', 'Run stopped by user'])
  assert.equal((await call('resume_run', { run_id: other }))['status'], 'resuming')
  assert.match(await fail('stop_run', { run_id: id }), /not currently in flight/)
})
