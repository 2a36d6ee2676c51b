import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { pino } from 'pino'
import { fireDue } from '../../src/api/scheduler.js'
import type { ApiWrites } from '../../src/api/writes.js'
import { createSchedules } from '../../src/shared/db/schedules.js'
import { openWriter } from '../../src/shared/db/writer/open-writer.js'
import { startTestApi, type TestApiOptions } from '../helpers/api.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.parse('2026-01-01T12:00:00Z')

async function start(t: TestContext, options: TestApiOptions = {}) {
  const clock = { now: START }
  const now = (): number => clock.now
  const api = await startTestApi(t, { ...options, deps: { now } })
  const schedules = createSchedules(api.db)
  const maxQueueSize = Number(options.flags?.['max-queue-size']?.[0] ?? 100)
  const scheduler = {
    ...{ schedules, writer: api.writer, maxQueueSize, now },
    logger: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  }
  const set = (declared: object, more: Record<string, unknown> = {}, name = 'p') =>
    api.set(name, {
      content: `export const schedules = ${JSON.stringify(declared)}\nexport const pipeline = async () => {}`,
      ...more,
    })
  return {
    api,
    clock,
    schedules,
    scheduler,
    set,
    fire: () => fireDue(scheduler),
    /** The runs so far, the oldest first. */
    runs: () => api.runs.list({ page: 1, perPage: 200 }).items.toReversed(),
    finish(runId: string) {
      const attempt = api.runs.find(runId)?.attempt ?? 0
      assert.ok(api.runs.finish({ runId, attempt }, { status: 'success' }, clock.now))
    },
  }
}

describe('a schedule that is due', () => {
  it('starts one run, and says when it is due next', async (t) => {
    const { clock, schedules, set, fire, runs } = await start(t)
    const id = await set({ often: { every: '1h', args: ['a'], jobs: ['build'] } })
    await fire()
    assert.deepEqual(runs(), [])
    clock.now += HOUR + 70
    for (let look = 0; look < 3; look++) await fire()
    assert.deepEqual(
      runs().map((run) => [run.status, run.triggerType, run.triggeredBy, run.triggerInput]),
      [['queued', 'schedule', 'schedule:often', { args: ['a'], jobs: ['build'] }]],
    )
    const [schedule] = schedules.listOf(id)
    assert.equal(schedule?.lastRunAt, START + HOUR + 70)
    assert.equal(schedule?.nextRunAt, START + 2 * HOUR)
  })

  it('starts one run however many look at it at once', async (t) => {
    const { api, clock, scheduler, set, runs } = await start(t)
    const declared = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [`s${at}`, { every: '1h' }]),
    )
    await set(declared)
    clock.now += HOUR
    // as another api on the same database
    await using other = await openWriter<ApiWrites>({
      path: api.db.name,
      operations: new URL('../../src/api/writes.js', import.meta.url),
    })
    const looks = [scheduler, { ...scheduler, writer: other.client }]
    await Promise.all([...looks, ...looks].map((one) => fireDue(one)))
    const names = runs().map(({ triggeredBy }) => triggeredBy)
    assert.deepEqual(
      names.toSorted(),
      Object.keys(declared)
        .map((name) => `schedule:${name}`)
        .toSorted(),
    )
  })

  it('starts nothing when it was changed or paused in the meantime', async (t) => {
    const { api, clock, schedules, scheduler, set, runs } = await start(t)
    const id = await set({ a: { every: '1h' }, b: { every: '1h' }, c: { every: '1h' } })
    clock.now += HOUR
    const due = schedules.listDue(clock.now, 100)
    assert.equal(due.length, 3)
    await set({ a: { every: '2h' }, b: { every: '1h' } })
    const b = schedules.listOf(id).find(({ name }) => name === 'b')
    await api.call('PUT', `/api/schedules/${b?.id}/enabled`, { enabled: false })
    const { findNextDue } = schedules
    await fireDue({ ...scheduler, schedules: { listDue: () => due, findNextDue } })
    assert.deepEqual(runs(), [])
  })
})

describe('what was missed', () => {
  it('is made up for by one run, however long nobody was there', async (t) => {
    const { clock, schedules, set, fire, runs } = await start(t)
    const id = await set({
      quarterly: { cron: '*/15 * * * *' },
      hourly: { every: '1h' },
      nightly: { cron: '0 3 * * *' },
    })
    clock.now += 6 * HOUR + 20 * MINUTE
    for (let look = 0; look < 3; look++) await fire()
    assert.deepEqual(
      runs()
        .map(({ triggeredBy }) => triggeredBy)
        .toSorted(),
      ['schedule:hourly', 'schedule:quarterly'],
    )
    const next = Object.fromEntries(
      schedules
        .listOf(id)
        .map(({ name, nextRunAt }) => [name, new Date(nextRunAt ?? 0).toISOString()]),
    )
    assert.deepEqual(next, {
      quarterly: '2026-01-01T18:30:00.000Z',
      hourly: '2026-01-01T19:00:00.000Z',
      nightly: '2026-01-02T03:00:00.000Z',
    })
  })

  it('while the pipeline was paused does not count', async (t) => {
    const { api, clock, schedules, set, fire, runs } = await start(t)
    const id = await set({ a: { every: '1h' } })
    await api.call('POST', `/api/pipelines/${id}/pause`)
    clock.now += 3 * HOUR
    await fire()
    await api.call('POST', `/api/pipelines/${id}/unpause`)
    await fire()
    assert.deepEqual(runs(), [])
    const [schedule] = schedules.listOf(id)
    assert.deepEqual([schedule?.lastRunAt, schedule?.nextRunAt], [null, START + 4 * HOUR])
  })
})

describe('when somebody sets the clock', () => {
  it('forward by an hour, what lies in that hour comes once', async (t) => {
    const { clock, set, fire, runs } = await start(t)
    await set({ a: { cron: '*/10 * * * *' } })
    clock.now += 10 * MINUTE
    await fire()
    clock.now += HOUR + 3 * MINUTE
    await fire()
    await fire()
    assert.equal(runs().length, 2)
  })

  it('back by an hour, what has come does not come again', async (t) => {
    const { clock, set, fire, runs } = await start(t)
    await set({ a: { cron: '*/10 * * * *' }, b: { every: '10m' } })
    clock.now += 10 * MINUTE
    await fire()
    assert.equal(runs().length, 2)
    clock.now -= HOUR
    for (let minute = 0; minute < 70; minute++, clock.now += MINUTE) await fire()
    // it is 12:20 now
    assert.equal(runs().length, 2)
    await fire()
    assert.equal(runs().length, 4)
  })

  it('to another season, each day has its runs', async (t) => {
    const { clock, set, fire, runs } = await start(t)
    clock.now = Date.parse('2026-03-27T23:00:00Z')
    const timezone = 'Europe/Berlin'
    await set({
      nightly: { cron: '15 4 * * *', timezone },
      skipped: { cron: '30 2 * * *', timezone },
      hourly: { cron: '0 * * * *', timezone },
    })
    // three days in that zone, of which the second has 23 hours
    const end = Date.parse('2026-03-30T22:00:00Z')
    for (; clock.now < end; clock.now += 5 * MINUTE) await fire()
    const counts = Map.groupBy(runs(), ({ triggeredBy }) => triggeredBy)
    assert.deepEqual(
      ['schedule:nightly', 'schedule:skipped', 'schedule:hourly'].map(
        (name) => counts.get(name)?.length,
      ),
      [3, 2, 24 + 23 + 23],
    )
  })
})

describe('the rules of the queue', () => {
  it('a full queue puts a schedule off; nothing is lost, and nothing comes twice', async (t) => {
    const { api, clock, schedules, set, fire, runs, finish } = await start(t, {
      capacity: 1,
      flags: { 'max-queue-size': ['0'] },
    })
    const id = await set({ a: { every: '1h' } })
    const other = await api.trigger(await api.set('other'))
    assert.deepEqual(api.claim(), [other])
    clock.now += HOUR
    assert.equal(await fire(), false)
    clock.now += 2 * HOUR
    assert.equal(await fire(), false)
    assert.equal(schedules.listOf(id)[0]?.nextRunAt, START + HOUR)
    finish(other)
    assert.equal(await fire(), true)
    assert.equal(await fire(), true)
    assert.deepEqual(
      runs().map(({ triggerType }) => triggerType),
      ['manual', 'schedule'],
    )
    assert.equal(schedules.listOf(id)[0]?.nextRunAt, START + 4 * HOUR)
  })

  it('a pipeline that skips while one runs skips scheduled runs, and they say so', async (t) => {
    const { api, clock, set, fire, runs } = await start(t)
    await set({ a: { every: '1h' } }, { concurrency_mode: 'skip-if-running' })
    for (let time = 0; time < 2; time++) {
      clock.now += HOUR
      await fire()
      api.claim()
    }
    const [first, second] = runs()
    assert.equal(first?.status, 'running')
    assert.deepEqual(
      [second?.status, second?.errorMessage],
      ['skipped', `skipped: pipeline already running (peer run ${first?.id})`],
    )
  })

  it('scheduled runs of one group wait for one another', async (t) => {
    const { api, clock, set, fire, runs, finish } = await start(t, { capacity: 5 })
    await set(
      { a: { every: '1h', args: ['x'] }, b: { every: '1h', args: ['x'] } },
      { concurrency_mode: 'group', concurrency_group_template: '{{ index .Args 0 }}' },
    )
    clock.now += HOUR
    await fire()
    assert.equal(runs().length, 2)
    const [first = ''] = api.claim()
    assert.deepEqual(api.claim(), [])
    finish(first)
    assert.equal(api.claim().length, 1)
  })

  it('a run whose group cannot be named fails, and the schedule goes on', async (t) => {
    const { clock, schedules, set, fire, runs } = await start(t)
    const id = await set(
      { a: { every: '1h' } },
      { concurrency_mode: 'group', concurrency_group_template: '{{ .Ref }}' },
    )
    clock.now += HOUR
    await fire()
    assert.equal(runs()[0]?.status, 'failed')
    assert.match(String(runs()[0]?.errorMessage), /^resolve concurrency group: /)
    assert.equal(schedules.listOf(id)[0]?.nextRunAt, START + 2 * HOUR)
  })
})

it('the index finds what is due and when the next is', async (t) => {
  const { api } = await start(t)
  for (const query of [
    'select id from schedules where next_run_at <= 1 order by next_run_at limit 5',
    'select min(next_run_at) from schedules where next_run_at > 0',
  ]) {
    const plan = api.db.prepare(`explain query plan ${query}`).all() as { detail: string }[]
    assert.match(
      plan.map(({ detail }) => detail).join(),
      /SEARCH schedules USING .*schedules_by_time/,
    )
  }
})
