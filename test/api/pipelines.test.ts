import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../helpers/api.js'
import { until } from '../helpers/until.js'

const names = (body: Record<string, unknown>): unknown[] =>
  (body['items'] as { name: string }[]).map(({ name }) => name)

test('an empty list has its envelope', async (t) => {
  const api = await startTestApi(t)
  const { status, body } = await api.call('GET', '/api/pipelines')
  assert.equal(status, 200)
  assert.deepEqual(body, {
    items: [],
    page: 1,
    per_page: 20,
    total_items: 0,
    total_pages: 0,
    has_next: false,
  })
})

test('pipelines are listed newest first, in pages, and searched by name and content', async (t) => {
  let now = 1_000
  const api = await startTestApi(t, { deps: { now: () => now++ } })
  for (let at = 0; at < 25; at++) await api.set(`p${at}`)
  await api.set('odd one', { content: 'export const pipeline = "50%_done"' })

  const first = (await api.call('GET', '/api/pipelines')).body
  assert.deepEqual(names(first).slice(0, 3), ['odd one', 'p24', 'p23'])
  assert.deepEqual([names(first).length, first['total_pages'], first['has_next']], [20, 2, true])
  const second = (await api.call('GET', '/api/pipelines?page=2')).body
  assert.deepEqual([names(second).length, second['has_next']], [6, false])
  const page = async (query: string) => {
    const { body } = await api.call('GET', `/api/pipelines?${query}`)
    return [body['page'], body['per_page'], names(body).length]
  }
  assert.deepEqual(await page('page=3x&per_page=2abc'), [3, 2, 2])
  assert.deepEqual(await page('page=-1&per_page=0'), [1, 20, 20])
  assert.deepEqual(await page('page=x&per_page=1000'), [1, 200, 26])
  assert.deepEqual(await page('page=99'), [99, 20, 0])
  assert.deepEqual(await page('page=99999999999999999999'), [1_000_000_000, 20, 0])
  assert.deepEqual(await page('page=2&page=1&per_page=5'), [2, 5, 5])
  const search = async (q: string) =>
    names((await api.call('GET', `/api/pipelines?q=${encodeURIComponent(q)}`)).body)
  assert.deepEqual(await search('ODD'), ['odd one'])
  assert.deepEqual(await search('50%_'), ['odd one'])
  assert.deepEqual(await search("'; drop table pipelines --"), [])
})

test('what is not there is 404 with one text', async (t) => {
  const api = await startTestApi(t)
  for (const [method, path] of [
    ['GET', '/api/pipelines/nope'],
    ['GET', '/api/pipelines/a%2Fb'],
    ['GET', '/api/pipelines/nope/runs'],
    ['DELETE', '/api/pipelines/nope'],
    ['POST', '/api/pipelines/nope/pause'],
    ['POST', '/api/pipelines/nope/unpause'],
    ['POST', '/api/pipelines/nope/trigger'],
    ['POST', '/api/pipelines/nope/run'],
  ] as const) {
    const { status, body } = await api.call(method, path)
    assert.deepEqual([status, body['error']], [404, 'pipeline not found'], `${method} ${path}`)
  }
})

test('pausing is idempotent and refuses triggers until it ends', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  for (let round = 0; round < 2; round++) {
    const { status, body } = await api.call('POST', `/api/pipelines/${id}/pause`)
    assert.deepEqual([status, body], [200, { id, paused: true, message: 'pipeline paused' }])
  }
  for (const path of ['trigger', 'run']) {
    const refused = await api.call('POST', `/api/pipelines/p/${path}`)
    assert.deepEqual([refused.status, refused.body['error']], [409, 'pipeline is paused'])
  }
  assert.deepEqual((await api.call('POST', '/api/pipelines/p/unpause')).body, {
    id,
    paused: false,
    message: 'pipeline unpaused',
  })
  assert.equal((await api.call('POST', '/api/pipelines/p/trigger')).status, 202)
})

test('a deleted pipeline takes its queued runs along', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p', { secrets: { A: 'x' } })
  const runId = await api.trigger(id)
  const { status, body } = await api.call('DELETE', `/api/pipelines/${id}`)
  assert.deepEqual([status, body['text']], [204, ''])
  assert.equal((await api.call('GET', `/api/runs/${runId}/status`)).status, 404)
  assert.equal(api.db.prepare('select count(*) from secrets').pluck().get(), 0)
})

test('a deletion stops what runs and waits for it', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('p')
  const runId = await api.trigger(id)
  api.claim()
  const deletion = api.call('DELETE', `/api/pipelines/${id}`)
  await until('the stop is asked for', () => api.runs.find(runId)?.stopRequestedAt)
  assert.equal((await api.call('GET', `/api/pipelines/${id}`)).status, 200)
  api.runs.finish({ runId, attempt: 1 }, { status: 'success' }, Date.now())
  assert.equal((await deletion).status, 204)
})

test('a deletion whose runs do not stop in time is 409 and removes nothing', async (t) => {
  const api = await startTestApi(t, { deps: { timings: { deletionMs: 100 } } })
  const id = await api.set('p')
  await api.trigger(id)
  api.claim()
  const { status, body } = await api.call('DELETE', `/api/pipelines/${id}`)
  assert.deepEqual([status, body['code']], [409, 'pipeline_stopping'])
  assert.equal((await api.call('GET', `/api/pipelines/${id}`)).status, 200)
})

test('an id beats the name of another pipeline', async (t) => {
  const api = await startTestApi(t)
  const id = await api.set('first')
  await api.set(id)
  assert.equal((await api.call('GET', `/api/pipelines/${id}`)).body['name'], 'first')
})
