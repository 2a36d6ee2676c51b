import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { TestApiOptions } from '../../helpers/api.js'
import { startTestApi } from '../../helpers/api.js'
import { connectMcp } from '../../helpers/mcp-client.js'

const BASIC = { authorization: `Basic ${Buffer.from('admin:secret').toString('base64')}` }

const READS = [
  ...['get_run', 'list_runs', 'wait_for_run', 'list_run_tasks', 'get_run_task', 'read_log'],
  ...['get_failed_tasks', 'search_tasks', 'search_pipelines'],
  ...['get_pipeline', 'list_schedules', 'list_gates'],
]

async function start(t: TestContext, options: TestApiOptions = {}) {
  const api = await startTestApi(t, options)
  return { api, mcp: await connectMcp(t, api.url) }
}

/** A run with two steps, of which the second has failed. */
async function startRun(t: TestContext) {
  const { api, mcp } = await start(t)
  const pipelineId = await api.set('p')
  const runId = await api.trigger(pipelineId)
  api.claim()
  const claim = { runId, attempt: 1 }
  for (const [step, name] of [
    [1, '0-build'],
    [2, '1-test'],
  ] as const) {
    api.tasks.insert(claim, { step, name, path: `/pipeline/${runId}/tasks/${name}` })
    api.tasks.start(claim, step, 1_000)
  }
  api.tasks.finish(claim, 1, { status: 'success', code: 0 }, 2_000)
  api.tasks.finish(claim, 2, { status: 'failure', code: 1 }, 3_000)
  return { api, mcp, runId, pipelineId }
}

test('the five tools of other servers keep their names, inputs and shapes', async (t) => {
  const { api, mcp, runId, pipelineId } = await startRun(t)
  api.print(runId, 1, 'hello \u001b[31mred\u001b[0m\n')
  const textOf = async (name: string, args: Record<string, unknown>) => {
    const { content } = await mcp.client.callTool({ name, arguments: args })
    return JSON.parse((content as { text: string }[])[0]?.text ?? '')
  }
  const run = await textOf('get_run', { run_id: runId })
  assert.deepEqual([run.id, run.pipeline_id, run.status], [runId, pipelineId, 'running'])
  const tasks = await textOf('list_run_tasks', { run_id: runId })
  assert.deepEqual(tasks[0], {
    id: 1,
    path: `/pipeline/${runId}/tasks/0-build`,
    payload: {
      ...{ status: 'success', elapsed: '1s', started_at: '1970-01-01T00:00:01.000Z', code: 0 },
      ...{ type: null, text: null, tokensUsed: null, duration: null, dependsOn: null },
      logs: [{ type: 'stdout', content: 'hello red\n' }],
      log_bytes: 19,
    },
  })
  const [task] = await textOf('get_run_task', { run_id: runId, path: 'tasks/1-test' })
  assert.deepEqual([task.id, task.payload.status], [0, 'failure'])
  const found = await textOf('search_tasks', { run_id: runId, query: 'BUIL succ' })
  assert.deepEqual(
    found.map((one: { id: number }) => one.id),
    [1],
  )
  assert.deepEqual(await textOf('search_tasks', { run_id: runId, query: '' }), [])
  const envelope = { page: 1, per_page: 20, total_items: 1, total_pages: 1, has_next: false }
  const runs = await textOf('search_tasks', { pipeline_id: pipelineId, query: '', page: null })
  assert.deepEqual({ ...runs, items: undefined }, { ...envelope, items: undefined })
  const pipelines = await textOf('search_pipelines', { query: '', page: 0, per_page: null })
  assert.equal(pipelines.items[0].content, 'export const pipeline = async () => {}')
  assert.deepEqual(await textOf('list_run_tasks', { run_id: 'unknown' }), [])
})

test('arguments that are no good are said to be, for every tool', async (t) => {
  const { mcp, runId } = await startRun(t)
  const cases: [tool: string, args: Record<string, unknown>, text: RegExp][] = [
    ['get_run', {}, /^invalid arguments: run_id: /],
    ['get_run', { run_id: '*' }, /expected the id of a run/],
    ['get_run', { run_id: 'unknown' }, /^could not get run: not found$/],
    ['get_run', { run_id: runId, more: 1 }, /unknown argument "more"/],
    ['list_runs', { status: 'red' }, /^invalid arguments: status: /],
    ['list_runs', { pipeline: 'none' }, /^pipeline not found$/],
    ['wait_for_run', { run_id: runId, timeout_seconds: 3_600 }, /timeout_seconds: /],
    ['wait_for_run', { run_id: 'unknown' }, /^could not get run: not found$/],
    ['list_run_tasks', { run_id: '' }, /expected the id of a run/],
    ['get_run_task', { run_id: runId, path: '' }, /^path is required$/],
    ['get_run_task', { run_id: runId, path: '../other/tasks' }, /scoped to the run/],
    ['get_run_task', { run_id: runId, path: 'none' }, /^could not get task: not found$/],
    ['read_log', { run_id: runId, cursor: 'x' }, /cursor: /],
    ['read_log', { run_id: runId, path: 'none' }, /^could not get task: not found$/],
    ['get_failed_tasks', { run_id: 'unknown' }, /^could not get run: not found$/],
    ['search_tasks', { query: 'a' }, /^either run_id or pipeline_id must be provided$/],
    ['search_tasks', { run_id: 'a/b', query: 'a' }, /run_id/],
    ['search_pipelines', {}, /query: /],
    ['get_pipeline', { pipeline: 'none' }, /^pipeline not found$/],
    ['list_schedules', { pipeline: '' }, /pipeline: /],
    ['list_gates', { status: 'open' }, /status: /],
    ['list_audit_log', { since: 'yesterday' }, /^since: expected a time/],
    ['trigger_run', { pipeline: 'none' }, /^pipeline not found$/],
    ['trigger_run', { pipeline: 'p', inputs: { a: 1 } }, /inputs\.a: /],
    ['stop_run', { run_id: 'unknown' }, /^run not found$/],
    ['resume_run', { run_id: runId, from: 0 }, /from: /],
    ['resume_run', { run_id: runId }, /^only failed runs can be resumed$/],
    ['approve_gate', { gate_id: 'none' }, /^gate not found$/],
    ['reject_gate', {}, /gate_id: /],
    ['set_pipeline', { name: 'a/b', content: 'x' }, /must not contain/],
    ['set_pipeline', { name: 'a', content: 'const' }, /:1:/],
    [
      'set_pipeline',
      { name: 'a', content: 'x', secrets: { A: 'b' } },
      /unknown argument "secrets"/,
    ],
  ]
  for (const [tool, args, text] of cases)
    assert.match(await mcp.fail(tool, args), text, `${tool} ${JSON.stringify(args)}`)
  const tried = new Set(cases.map(([tool]) => tool))
  assert.deepEqual(new Set(await mcp.toolNames()), tried)
  await assert.rejects(mcp.call('drop_everything'), /-32602: unknown tool "drop_everything"/)
})

test('a log is read in parts of any size, and never whole', async (t) => {
  const { api, mcp, runId } = await startRun(t)
  const lines = Array.from({ length: 4_000 }, (_, at) => `line ${at} é€😀\n`)
  for (let at = 0; at < lines.length; at += 500)
    api.print(runId, 2, lines.slice(at, at + 500).join(''))
  const path = 'tasks/1-test'
  const tail = await mcp.call('read_log', { run_id: runId, path, tail_lines: 2 })
  assert.equal(tail['logs'][0].content, lines.slice(-2).join(''))
  const task = await mcp.call('get_run_task', { run_id: runId, path, max_bytes: 256 })
  assert.ok(Buffer.byteLength(task['task'].payload.logs[0].content) <= 256)
  assert.equal(task['task'].payload.logs_cut, 'only the end is here: read_log has all of it')

  let [cursor, text] = ['0.0', '']
  for (let hasMore = true; hasMore;) {
    const part = await mcp.call('read_log', { run_id: runId, path, cursor, max_bytes: 10_007 })
    const content = String(part['logs'][0].content)
    assert.ok(Buffer.byteLength(content) <= 10_007)
    text += content
    cursor = String(part['cursor'])
    hasMore = part['has_more'] === true
  }
  assert.equal(text, lines.join(''))
  api.print(runId, 2, 'more')
  const rest = await mcp.call('read_log', { run_id: runId, path, cursor })
  assert.deepEqual(rest['logs'], [{ type: 'stdout', content: 'more' }])
})

test('answers stay small whatever is stored', async (t) => {
  const { api, mcp, runId } = await startRun(t)
  const claim = { runId, attempt: 1 }
  for (let step = 3; step <= 120; step++) {
    const name = `${step}-step`
    api.tasks.insert(claim, { step, name, path: `/pipeline/${runId}/tasks/${name}` })
    api.print(runId, step, 'x'.repeat(100_000))
  }
  const first = await mcp.call('list_run_tasks', { run_id: runId })
  assert.ok(JSON.stringify(first).length < 60_000)
  assert.deepEqual([first['tasks'].length, first['next_cursor']], [50, 50])
  const last = await mcp.call('list_run_tasks', { run_id: runId, cursor: 100 })
  assert.deepEqual([last['tasks'].length, last['next_cursor']], [20, undefined])

  const content = `export const pipeline = async () => {} // ${'y'.repeat(50_000)}`
  const set = await mcp.call('set_pipeline', { name: 'long', content })
  assert.ok(set['content'].length <= 1_000)
  const start = await mcp.call('get_pipeline', { pipeline: 'long' })
  const end = await mcp.call('get_pipeline', { pipeline: 'long', offset: start['next_offset'] })
  assert.equal(`${start['content']}${end['content']}`, content)
  const { run_id: other } = await mcp.call('trigger_run', {
    pipeline: 'long',
    args: ['z'.repeat(200_000)],
  })
  assert.ok(JSON.stringify(await mcp.call('get_run', { run_id: other })).length < 4_000)
})

test('a token sees and does what it is good for', async (t) => {
  const api = await startTestApi(t, { flags: { 'basic-auth': ['admin:secret'] } })
  await api.call('PUT', '/api/pipelines/p', { content: 'export const pipeline = () => {}' }, BASIC)
  const connect = async (...scopes: string[]) => {
    const { body } = await api.call('POST', '/api/tokens', { name: 'bot', scopes }, BASIC)
    return await connectMcp(t, api.url, { authorization: `Bearer ${String(body['token'])}` })
  }
  const reader = await connect('ci:read')
  assert.deepEqual(await reader.toolNames(), READS)
  for (const [tool, args] of [
    ['list_audit_log', {}],
    ['trigger_run', { pipeline: 'p' }],
    ['stop_run', { run_id: 'r' }],
    ['resume_run', { run_id: 'r' }],
    ['approve_gate', { gate_id: 'g' }],
    ['reject_gate', { gate_id: 'g' }],
    ['set_pipeline', { name: 'p', content: 'x' }],
  ] as const)
    assert.match(await reader.fail(tool, args), /^access denied: the token is not good for ci:/)

  const runner = await connect('ci:read', 'ci:run')
  const { run_id: id, triggered_by: by } = await runner.call('trigger_run', { pipeline: 'p' })
  assert.equal(by, 'basic:admin')
  assert.equal((await runner.call('stop_run', { run_id: id }))['status'], 'stopped')
  assert.match(await runner.fail('set_pipeline', { name: 'p', content: 'x' }), /ci:write/)
  await assert.rejects(connect('ci:run'), /the token is not good for ci:read/)
  await assert.rejects(connectMcp(t, api.url), /Unauthorized/)
  await connectMcp(t, api.url, BASIC)
})

test('every tool asks the policy about what its arguments name', async (t) => {
  const asked: unknown[] = []
  const { api, mcp } = await start(t, {
    deps: {
      authorize: (_actor, action, resource) => {
        asked.push([action, resource])
        const isTool = resource.kind !== 'server'
        return isTool ? 'access denied to this pipeline' : undefined
      },
    },
  })
  const run = { kind: 'run', key: 'r' }
  const pipeline = { kind: 'pipeline', key: 'p' }
  const cases: [tool: string, args: Record<string, unknown>, asked: unknown][] = [
    ['get_run', { run_id: 'r' }, ['run.read', run]],
    ['list_runs', { pipeline: 'p' }, ['run.list', pipeline]],
    ['wait_for_run', { run_id: 'r' }, ['run.read', run]],
    ['list_run_tasks', { run_id: 'r' }, ['run.read', run]],
    ['get_run_task', { run_id: 'r', path: 'x' }, ['run.read', run]],
    ['read_log', { run_id: 'r' }, ['run.read', run]],
    ['get_failed_tasks', { run_id: 'r' }, ['run.read', run]],
    ['search_tasks', { run_id: 'r', query: 'x' }, ['run.read', run]],
    ['search_tasks', { pipeline_id: 'p', query: 'x' }, ['run.read', pipeline]],
    ['get_pipeline', { pipeline: 'p' }, ['pipeline.read', pipeline]],
    ['list_schedules', { pipeline: 'p' }, ['pipeline.read', pipeline]],
    ['list_gates', { run_id: 'r' }, ['gate.list', run]],
    ['trigger_run', { pipeline: 'p' }, ['pipeline.run', pipeline]],
    ['stop_run', { run_id: 'r' }, ['run.stop', run]],
    ['resume_run', { run_id: 'r' }, ['run.resume', run]],
    ['approve_gate', { gate_id: 'g' }, ['gate.resolve', { kind: 'gate', key: 'g' }]],
    ['reject_gate', { gate_id: 'g' }, ['gate.resolve', { kind: 'gate', key: 'g' }]],
    ['set_pipeline', { name: 'p', content: 'x' }, ['pipeline.set', pipeline]],
  ]
  for (const [tool, args, wanted] of cases) {
    assert.equal(await mcp.fail(tool, args), 'access denied to this pipeline')
    assert.deepEqual(asked.at(-1), wanted, tool)
  }
  const unasked = (await mcp.toolNames()).filter((name) => !cases.some(([tool]) => tool === name))
  assert.deepEqual(unasked, ['search_pipelines', 'list_audit_log'])
  assert.equal(api.table.listRoutes().find(({ path }) => path === '/mcp')?.action, 'server.read')
})
