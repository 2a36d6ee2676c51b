import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLedger } from '../helpers/ledger.js'
import { ended, getRun, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

/** No test waits for it: a stop that does is a failure. */
const ARGS = ['--drain-timeout=30s', '--max-in-flight=1', '--lease-ttl=2s', '--log-level=warn']

/** Notes its start outside the system, and ends when a file is there. */
const waiting = (ledger: string, go: string): string => `
export const pipeline = async () => {
  const script = 'echo started >> ${ledger}; echo begin; until [ -e ${go} ]; do sleep 0.05; done; echo end'
  await runtime.run({ name: 'wait', command: { path: 'sh', args: ['-c', script] } })
}`

async function open(t: Parameters<typeof startServer>[0]) {
  const dir = tempDir(t)
  const ledger = createLedger(dir)
  const go = join(dir, 'go')
  const server = await startServer(t, { dir, args: ARGS })
  const id = await server.setPipeline('p', waiting(ledger.path, go))
  const runId = await trigger(server, id)
  await until('its step is under way', () => ledger.lines().length === 1)
  return { dir, server, id, runId, ledger, goOn: () => writeFileSync(go, '') }
}

/** Asks for runs until the server takes none; answers the refusal and what it took before. */
async function refusal(server: TestServer, id: string) {
  const accepted: string[] = []
  for (;;) {
    const response = await server.api(`/api/pipelines/${id}/trigger`, { method: 'POST' })
    if (response.status !== 202) return { response, accepted }
    accepted.push(((await response.json()) as { run_id: string }).run_id)
  }
}

test('a stop: no new runs, the queue stays, what runs ends before its watchers’ eyes, and then the api goes', async (t) => {
  const { dir, server, id, runId, ledger, goOn } = await open(t)
  const queued = await trigger(server, id)
  const events = await server.api(`/api/runs/${runId}/events`)
  const watched = events.text()
  const exited = once(server.child, 'exit')
  server.child.kill('SIGTERM')

  const { response, accepted } = await refusal(server, id)
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '5'])
  assert.equal(((await response.json()) as { code: string }).code, 'server_stopping')
  assert.equal((await server.api(`/api/runs/${runId}/resume`, { method: 'POST' })).status, 503)
  assert.equal((await server.api(`/api/pipelines/${id}/run`, { method: 'POST' })).status, 503)
  // reading goes on, but nobody should send anything here any more
  assert.equal((await server.api('/ready')).status, 503)
  for (const path of ['/health', '/api/runs', `/runs/${runId}/tasks`])
    assert.equal((await server.api(path)).status, 200, path)
  assert.equal((await getRun(server, runId)).status, 'running')

  goOn()
  const seen = await watched
  assert.match(seen, /"text":"end\\n"/)
  assert.match(seen, /event: end\ndata: .*"status":"success"/)
  assert.deepEqual(await exited, [0, null])
  assert.equal(ledger.lines().length, 1, 'a queued run was begun')

  const next = await startServer(t, { dir, args: ARGS })
  for (const run of [queued, ...accepted]) assert.equal((await ended(next, run)).status, 'success')
  assert.equal((await getRun(next, runId)).status, 'success')
  assert.equal(ledger.lines().length, 2 + accepted.length)
})

test('a stop is heard while the server stops', async (t) => {
  const { server, id, runId } = await open(t)
  const exited = once(server.child, 'exit')
  server.child.kill('SIGTERM')
  await refusal(server, id)
  assert.equal((await server.api(`/api/runs/${runId}/stop`, { method: 'POST' })).status, 200)
  assert.deepEqual(await exited, [0, null])
})

test('a second signal ends everything at once; the same step goes on under the next server', async (t) => {
  const { dir, server, id, runId, ledger, goOn } = await open(t)
  const exited = once(server.child, 'exit')
  server.child.kill('SIGTERM')
  const { accepted } = await refusal(server, id)
  // sooner it would be taken for an echo of the first
  await sleep(400)
  server.child.kill('SIGTERM')
  assert.deepEqual(await exited, [143, null])

  const next = await startServer(t, { dir, args: ARGS })
  await until('it is claimed again', async () => (await getRun(next, runId)).status === 'running')
  assert.equal(ledger.lines().length, 1)
  goOn()
  for (const run of [runId, ...accepted]) assert.equal((await ended(next, run)).status, 'success')
  assert.equal(ledger.lines().length, 1 + accepted.length)
})
