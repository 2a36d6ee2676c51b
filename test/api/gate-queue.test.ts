import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createExecutors } from '../../src/shared/db/executors.js'
import { createGates } from '../../src/shared/db/gates.js'
import { createOperations } from '../../src/executor/writes.js'
import { startTestApi } from '../helpers/api.js'

const GROUP = { concurrency_mode: 'group', concurrency_group_template: 'all' }

/** Runs whose executor is the test: what it writes is what a pool thread would write. */
async function start(t: TestContext, rule: Record<string, unknown>) {
  const api = await startTestApi(t, { capacity: 5 })
  const pipeline = await api.set('p', rule)
  const executor = createOperations(api.db)
  const gates = createGates(api.db)
  const claimOf = (runId: string) => ({ runId, attempt: api.runs.find(runId)?.attempt ?? 0 })
  return {
    api,
    pipeline,
    gates,
    trigger: () => api.trigger(pipeline),
    show: async (runId: string) => (await api.call('GET', `/api/runs/${runId}/status`)).body,
    /** A claimed run asks for a gate and goes there. */
    toGate(runId: string, number = 1): string {
      const id = `${runId}-${number}`
      const gate = { id, number, name: 'ok', message: '', approvers: [], timeoutMs: null }
      const intent = { kind: 'intent', seq: number, effect: number, at: 1 } as const
      const call = { name: 'pipeline.gate', occurrence: number - 1, parent: 0 }
      const entries = [{ ...intent, ...call, argsHash: Buffer.alloc(16) }]
      const changes = [{ type: 'gate', gate } as const]
      const now = Date.now()
      assert.ok(executor.record({ claim: claimOf(runId), entries, changes, now }))
      const wait = { on: { type: 'gate', number } as const, reason: 'gate "ok"', dueAt: null }
      assert.equal(executor.suspend({ claim: claimOf(runId), waits: [wait], now }), 'suspended')
      return id
    },
    finish(runId: string, outcome: 'success' | 'failed' = 'success'): void {
      const how =
        outcome === 'success'
          ? ({ status: 'success' } as const)
          : ({ status: 'failed', errorCode: 'pipeline_failed', errorMessage: 'no' } as const)
      assert.ok(api.runs.finish(claimOf(runId), how, Date.now()))
      api.db.prepare('delete from run_cleanups').run()
    },
  }
}

for (const rule of [{ concurrency_mode: 'serial' }, GROUP])
  test(`${rule.concurrency_mode}: a run at a gate holds its group, and the others say so`, async (t) => {
    const { api, trigger, toGate, show, finish } = await start(t, rule)
    const [first, second] = [await trigger(), await trigger()]
    assert.deepEqual(api.claim(), [first])
    const gate = toGate(first)
    assert.deepEqual(api.claim(), [], 'no overlap')
    const { waiting_reason: why, waiting } = await show(second)
    const group = rule === GROUP ? 'all' : 'of its pipeline'
    assert.equal(
      why,
      `run ${first}, which has begun and waits itself, holds the concurrency group ${group}`,
    )
    assert.equal((waiting as { holder: string }).holder, first)

    await api.call('POST', `/api/gates/${gate}/approve`)
    assert.equal((await show(first))['waiting_reason'], 'starts in a moment')
    assert.deepEqual(api.claim(), [first], 'it goes on before those that wait for its group')
    assert.deepEqual(api.claim(), [])
    finish(first)
    assert.deepEqual(api.claim(), [second])
  })

test('a run that is stopped at its gate frees its group; its gate waits for nobody', async (t) => {
  const { api, trigger, toGate } = await start(t, { concurrency_mode: 'serial' })
  const [first, second] = [await trigger(), await trigger()]
  api.claim()
  const gate = toGate(first)
  const { body } = await api.call('POST', `/api/runs/${first}/stop`)
  assert.equal(body['status'], 'stopped')
  assert.deepEqual(api.claim(), [second])
  assert.equal((await api.call('POST', `/api/gates/${gate}/approve`)).status, 409)
  assert.equal((await api.call('GET', '/api/gates?status=pending')).body['total_items'], 0)
})

test('a run that is superseded at its gate fails, and its gate can be approved no more', async (t) => {
  const { api, trigger, toGate, show } = await start(t, {
    ...GROUP,
    concurrency_cancel_running: true,
  })
  const first = await trigger()
  api.claim()
  const gate = toGate(first)
  const second = await trigger()
  const { status, error_message: error } = await show(first)
  assert.deepEqual([status, error], ['failed', `superseded by run ${second}`])
  const answer = await api.call('POST', `/api/gates/${gate}/approve`)
  assert.deepEqual([answer.status, answer.body['code']], [409, 'run_not_in_flight'])
  assert.deepEqual(api.claim(), [second])
})

test('a run that failed behind its gate and is resumed asks there again; who approved stays', async (t) => {
  const { api, trigger, toGate, finish, show, gates } = await start(t, {
    concurrency_mode: 'serial',
  })
  createExecutors(api.db).renew('executor', Date.now() + 3_600_000)
  const runId = await trigger()
  api.claim()
  await api.call('POST', `/api/gates/${toGate(runId)}/approve`)
  assert.deepEqual(api.claim(), [runId])
  toGate(runId, 2)
  await api.call('POST', `/api/gates/${runId}-2/reject`)
  api.claim()
  finish(runId, 'failed')
  assert.equal((await api.call('POST', `/api/runs/${runId}/resume`)).status, 200)
  assert.deepEqual(api.claim(), [runId])
  api.db.prepare("update gates set id = 'old-' || id").run()
  toGate(runId)
  assert.deepEqual(api.claim(), [], 'the approval of before does not count')
  assert.equal((await show(runId))['waiting_reason'], 'gate "ok"')
  assert.deepEqual(
    gates.listOfRun(runId).map(({ status }) => status),
    ['approved', 'rejected', 'pending'],
  )
})
