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
const ANN = { authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` }
const GATED = "export const pipeline = async () => { await orchestration.gate('deploy') }"

test('a client sets a pipeline, runs it, follows it and learns why it failed', async (t) => {
  const server = await startServer(t, { args: ['--log-level=warn', '--basic-auth=ann:secret'] })
  const { call } = await connectMcp(t, server.url, ANN)
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

  const made = await server.api('/api/tokens', {
    method: 'POST',
    headers: { ...ANN, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'reader', scopes: ['ci:read'] }),
  })
  const { token } = (await made.json()) as { token: string }
  const reader = await connectMcp(t, server.url, { authorization: `Bearer ${token}` })
  const names = await reader.toolNames()
  assert.deepEqual([names.includes('get_run'), names.includes('trigger_run')], [true, false])
  assert.equal((await reader.call('get_run', { run_id: red.id }))['status'], 'failed')
  assert.equal(
    await reader.fail('trigger_run', { pipeline: 'shop' }),
    'access denied: the token is not good for ci:run',
  )
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

test('no answer has a secret', async (t) => {
  const server = await startServer(t, { args: ['--log-level=warn'] })
  const secret = 'correct-horse-battery'
  const content = `export const pipeline = async () => {
    await runtime.run({
      name: 'leak',
      env: { TOKEN: 'secret:TOKEN' },
      command: { path: 'sh', args: ['-c', 'echo "error: $TOKEN"; echo "$TOKEN" | base64; exit 1'] },
    })
    throw new Error('leaked')
  }`
  const id = await server.setPipeline('p', content, { secrets: { TOKEN: secret } })
  const { call } = await connectMcp(t, server.url)
  const { run_id: run } = await call('trigger_run', { pipeline: 'p' })
  await call('wait_for_run', { run_id: run, timeout_seconds: 50 })
  const { tasks } = await call('list_run_tasks', { run_id: run })
  const answers = [tasks]
  for (const [tool, args] of [
    ['get_run', { run_id: run }],
    ['get_run_task', { run_id: run, path: tasks[0].path }],
    ['read_log', { run_id: run, path: tasks[0].path }],
    ['read_log', { run_id: run, path: tasks[0].path, cursor: '0.0' }],
    ['get_failed_tasks', { run_id: run }],
    ['search_tasks', { run_id: run, query: 'error' }],
    ['get_pipeline', { pipeline: id }],
    ['search_pipelines', { query: '' }],
  ] as const)
    answers.push(await call(tool, args))
  const text = JSON.stringify(answers)
  assert.match(text, /error: \*\*\*/)
  assert.ok(!text.includes(secret))
  assert.ok(!text.includes(Buffer.from(secret).toString('base64').slice(0, 12)))
})
