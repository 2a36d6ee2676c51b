import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { startTestApi, type TestApiOptions } from '../helpers/api.js'

const HOUR = 3_600_000
const START = Date.parse('2026-01-01T12:00:00Z')

const source = (schedules: object) =>
  `export const schedules = ${JSON.stringify(schedules)}\nexport const pipeline = async () => {}`

async function start(t: TestContext, options: TestApiOptions = {}) {
  const clock = { now: START }
  const api = await startTestApi(t, { ...options, deps: { now: () => clock.now } })
  return {
    api,
    clock,
    set: (schedules: object, name = 'p') => api.set(name, { content: source(schedules) }),
    async list(pipeline = 'p') {
      const { status, body } = await api.call('GET', `/api/pipelines/${pipeline}/schedules`)
      assert.equal(status, 200)
      return body as unknown as Record<string, unknown>[]
    },
    enable: (id: unknown, body?: unknown) =>
      api.call('PUT', `/api/schedules/${String(id)}/enabled`, body),
  }
}

describe('setting a pipeline', () => {
  it('stores its schedules, which are listed by name', async (t) => {
    const { api, set, list } = await start(t)
    const id = await set({
      often: { every: '90m', args: ['x'], jobs: ['build'] },
      nightly: { cron: '0 3 * * *', timezone: 'Europe/Berlin' },
    })
    const [nightly, often] = await list()
    assert.match(String(nightly?.['id']), /^[\w-]{21}$/)
    assert.deepEqual(nightly, {
      ...{ id: nightly?.['id'], pipeline_id: id, name: 'nightly', schedule_type: 'cron' },
      ...{ schedule_expr: 'CRON_TZ=Europe/Berlin 0 3 * * *', job_name: '', enabled: true },
      next_run_at: '2026-01-02T02:00:00.000Z',
      created_at: '2026-01-01T12:00:00.000Z',
      updated_at: '2026-01-01T12:00:00.000Z',
    })
    assert.deepEqual(often, {
      ...{ id: often?.['id'], pipeline_id: id, name: 'often', schedule_type: 'interval' },
      ...{ schedule_expr: '90m', job_name: 'build', enabled: true },
      trigger_input: { args: ['x'], jobs: ['build'] },
      next_run_at: '2026-01-01T13:30:00.000Z',
      created_at: '2026-01-01T12:00:00.000Z',
      updated_at: '2026-01-01T12:00:00.000Z',
    })
    await api.set('plain')
    assert.deepEqual(await list('plain'), [])
    const missing = await api.call('GET', '/api/pipelines/none/schedules')
    assert.deepEqual([missing.status, missing.body['error']], [404, 'pipeline not found'])
  })

  it('again puts off nothing as long as the expression stays', async (t) => {
    const { clock, set, list } = await start(t)
    await set({ a: { every: '2h' } })
    const [before] = await list()
    clock.now += HOUR
    await set({ a: { every: '2h', args: ['new'] } })
    const [after] = await list()
    assert.equal(after?.['id'], before?.['id'])
    assert.equal(after?.['next_run_at'], before?.['next_run_at'])
    assert.deepEqual(after?.['trigger_input'], { args: ['new'] })
    await set({ a: { every: '3h' } })
    assert.equal((await list())[0]?.['next_run_at'], '2026-01-01T16:00:00.000Z')
  })

  it('leaves a paused schedule paused, also with another expression', async (t) => {
    const { set, list, enable } = await start(t)
    await set({ a: { every: '2h' }, b: { every: '2h' } })
    for (const { id } of await list()) await enable(id, { enabled: false })
    await set({ a: { every: '2h' }, b: { cron: '0 3 * * *' } })
    for (const schedule of await list())
      assert.deepEqual([schedule['enabled'], schedule['next_run_at']], [false, undefined])
  })

  it('removes what it no longer declares, and so does removing it', async (t) => {
    const { api, set, list } = await start(t)
    await set({ a: { every: '2h' }, b: { every: '2h' } })
    const id = await set({ b: { every: '2h' } })
    assert.deepEqual(
      (await list()).map(({ name }) => name),
      ['b'],
    )
    assert.equal((await api.call('DELETE', `/api/pipelines/${id}`)).status, 204)
    assert.equal(api.db.prepare('select count(*) from schedules').pluck().get(), 0)
  })

  it('with one that is wrong is refused, and nothing is stored', async (t) => {
    const { api, set, list } = await start(t)
    await set({ a: { every: '2h' } })
    const bad = { content: source({ a: { every: '3h' }, b: { cron: '@daily' } }) }
    const { status, body } = await api.call('PUT', '/api/pipelines/p', bad)
    assert.equal(status, 400)
    assert.equal(body['code'], 'pipeline_invalid')
    assert.match(String(body['error']), /^schedules\.b\.cron: expected five fields/)
    assert.equal((await list())[0]?.['schedule_expr'], '2h')
  })
})

describe('pausing a schedule', () => {
  it('takes its time away; going on begins anew', async (t) => {
    const { api, clock, set, list, enable } = await start(t)
    await set({ a: { every: '2h' } })
    const [{ id } = {}] = await list()
    const paused = await enable(id)
    assert.deepEqual([paused.status, paused.body], [200, { status: 'ok' }])
    clock.now += 10 * HOUR
    assert.equal((await list())[0]?.['next_run_at'], undefined)
    for (let twice = 0; twice < 2; twice++) {
      assert.equal((await enable(id, { enabled: true })).status, 200)
      const [{ enabled, next_run_at: nextRunAt } = {}] = await list()
      // the second time changes nothing
      assert.deepEqual([enabled, nextRunAt], [true, '2026-01-02T00:00:00.000Z'])
      clock.now += 60_000
    }
    assert.ok(api.logLines().some((line) => line.includes('"audit":"schedule.pause"')))
    assert.ok(api.logLines().some((line) => line.includes('"audit":"schedule.unpause"')))
  })

  it('is refused for what is not there or makes no sense', async (t) => {
    const { set, list, enable } = await start(t)
    const none = await enable('none', { enabled: true })
    assert.deepEqual(
      [none.status, none.body['error'], none.body['code']],
      [404, 'schedule not found', 'schedule_not_found'],
    )
    await set({ a: { every: '2h' } })
    const [{ id } = {}] = await list()
    const bad = await enable(id, { enabled: 'yes' })
    assert.equal(bad.status, 400)
    assert.match(String(bad.body['error']), /^invalid request body: enabled: /)
    assert.equal((await list())[0]?.['enabled'], true)
  })
})

describe('the page of a pipeline', () => {
  it('shows its schedules, with forms that work without script', async (t) => {
    const { api, set, list } = await start(t)
    const id = await set({ nightly: { cron: '0 3 * * *' }, often: { every: '30m' } })
    const other = await set({ nightly: { cron: '0 3 * * *' } }, 'other')
    const show = async () => (await api.fetch(`/pipelines/${id}/`)).text()
    const post = (pipeline: string, schedule: string, verb: string) =>
      api.fetch(`/pipelines/${pipeline}/schedules/${schedule}/${verb}`, {
        method: 'POST',
        redirect: 'manual',
      })
    const page = await show()
    assert.match(page, /<code>0 3 \* \* \*<\/code>.*2026-01-02T03:00:00\.000Z/s)
    assert.match(page, /<code>every 30m<\/code>.*Never/s)

    const often = String((await list())[1]?.['id'])
    const paused = await post(id, often, 'pause')
    assert.deepEqual([paused.status, paused.headers.get('location')], [303, `/pipelines/${id}/`])
    assert.match(await show(), /aria-label="Unpause schedule often"/)
    assert.equal((await post(id, often, 'unpause')).status, 303)
    assert.equal((await list())[1]?.['enabled'], true)
    assert.equal((await post(other, often, 'pause')).status, 404)
    assert.equal((await list())[1]?.['enabled'], true)
    const plain = await api.fetch(`/pipelines/${await api.set('plain')}/`)
    assert.doesNotMatch(await plain.text(), /Schedules/)
  })
})

it('without the feature nothing is set or changed, and what is there is listed', async (t) => {
  const off = { flags: { 'allowed-features': ['secrets'] } }
  const { api, list, enable } = await start(t, off)
  const refused = await api.call('PUT', '/api/pipelines/p', {
    content: source({ a: { every: '1h' } }),
  })
  assert.deepEqual(
    [refused.status, refused.body['error']],
    [400, 'schedules feature is not enabled'],
  )
  const id = await api.set('p')
  api.db
    .prepare(
      `insert into schedules (id, pipeline_id, name, schedule_type, schedule_expr, next_run_at, created_at, updated_at)
       values ('s', ?, 'a', 'interval', '1h', 1, 1, 1)`,
    )
    .run(id)
  assert.deepEqual(
    (await list()).map(({ name }) => name),
    ['a'],
  )
  const page = await (await api.fetch(`/pipelines/${id}/`)).text()
  assert.match(page, /Schedules are switched off on this server/)
  assert.doesNotMatch(page, /Pause schedule/)
  const { status, body } = await enable('s', { enabled: false })
  assert.deepEqual([status, body['error']], [403, 'schedules feature is not enabled'])
})
