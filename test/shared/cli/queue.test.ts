import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGates } from '../../../src/shared/db/gates.js'
import { createSuspensions, summarize } from '../../../src/shared/db/suspensions.js'
import { startTestApi } from '../../helpers/api.js'
import { runCli } from '../../helpers/cli-process.js'

test('one screen: what has a slot, what waits for others, what is queued, why, and what to do', async (t) => {
  const api = await startTestApi(t, { capacity: 2 })
  const queue = async (): Promise<string[]> => {
    const { stdout, stderr } = await runCli(['queue'], { env: { CI_SERVER_URL: api.url } })
    assert.equal(stderr, '')
    return stdout.split('\n')
  }
  const pipeline = await api.set('p')
  const [gated, second] = [await api.trigger(pipeline), await api.trigger(pipeline)]
  api.claim()
  const gate = { id: 'g', number: 1, name: 'deploy', message: '', approvers: [], timeoutMs: null }
  createGates(api.db).insert(gate, gated, 1)
  const on = { type: 'gate', number: 1 } as const
  const waits = [{ on, reason: 'gate "deploy" waits for approval', dueAt: null }]
  assert.ok(api.runs.release({ runId: gated, attempt: 1 }, summarize(waits), Date.now()))
  createSuspensions(api.db).suspend(gated, waits)
  const third = await api.trigger(pipeline)

  const lines = await queue()
  assert.equal(lines[0], '1 of 2 slots taken, 1 queued, 1 without a slot until others are done')
  assert.match(lines[3] ?? '', new RegExp(`^${second} +p +running +normal +\\d+s$`))
  assert.match(lines[4] ?? '', new RegExp(`^${gated} .* gate "deploy" waits for approval$`))
  assert.match(
    lines[5] ?? '',
    new RegExp(`^${third} .* starts in a moment$`),
    'nobody is before it',
  )
  assert.match(lines[7] ?? '', /^pocketci gate ls shows the gates/)

  api.db.prepare('delete from executors').run()
  const [head, ...rest] = await queue()
  assert.match(head ?? '', /^no executor is there, 1 queued, 1 without/)
  assert.ok(rest.some((line) => line.startsWith(third) && line.endsWith('no executor is there')))
})
