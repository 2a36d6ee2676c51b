import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PIPELINE } from '../../helpers/api.js'
import { connectMcp } from '../../helpers/mcp-client.js'
import { startPeopleApi } from '../../helpers/people.js'

const idsOf = (items: { id: string }[]): string[] => items.map(({ id }) => id)

test('the rule of a pipeline holds for every tool, and lists leave out what it hides', async (t) => {
  const api = await startPeopleApi(t)
  const [ann, bob] = [api.add({ email: 'ann@example.com' }), api.add({ email: 'bob@example.com' })]
  const set = async (name: string, rule: string) => {
    const body = { content: PIPELINE, rbac_expression: rule }
    return String((await api.as(ann, 'PUT', `/api/pipelines/${name}`, body)).body['id'])
  }
  const [open, closed] = [await set('open', ''), await set('closed', 'Email == "ann@example.com"')]
  const run = async (pipeline: string) =>
    String((await api.as(ann, 'POST', `/api/pipelines/${pipeline}/trigger`)).body['run_id'])
  const [openRun, closedRun] = [await run(open), await run(closed)]

  const hers = await connectMcp(t, api.url, ann)
  const all = await hers.call('list_runs')
  assert.deepEqual([all['total_items'], idsOf(all['items'])], [2, [closedRun, openRun]])
  assert.equal((await hers.call('get_run', { run_id: closedRun }))['id'], closedRun)

  const his = await connectMcp(t, api.url, bob)
  const some = await his.call('list_runs')
  assert.deepEqual([some['total_items'], idsOf(some['items'])], [1, [openRun]])
  const pipelines = await his.call('search_pipelines', { query: '' })
  assert.deepEqual([pipelines['total_items'], idsOf(pipelines['items'])], [1, [open]])
  for (const [tool, args] of [
    ['get_run', { run_id: closedRun }],
    ['list_run_tasks', { run_id: closedRun }],
    ['get_failed_tasks', { run_id: closedRun }],
    ['read_log', { run_id: closedRun }],
    ['stop_run', { run_id: closedRun }],
    ['get_pipeline', { pipeline: 'closed' }],
    ['list_runs', { pipeline: closed }],
    ['search_tasks', { pipeline_id: closed, query: '' }],
    ['trigger_run', { pipeline: 'closed' }],
    ['set_pipeline', { name: 'closed', content: PIPELINE }],
  ] as const)
    assert.equal(await his.fail(tool, args), 'access denied to this pipeline', tool)
  assert.equal((await hers.call('stop_run', { run_id: openRun }))['status'], 'stopped')
  const { body } = await api.as(ann, 'GET', '/api/audit?action=run.stop')
  assert.match(JSON.stringify(body), /github:ann@example.com/)
})
