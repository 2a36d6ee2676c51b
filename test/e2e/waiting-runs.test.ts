import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ended, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const ECHO = `export const pipeline = async () => {
  await runtime.run({ name: 'echo', image: 'busybox', command: { path: 'echo', args: ['hi'] } })
}`

test('a run waits for its driver, says why, and goes on when the driver is back', async (t) => {
  const locked = join(tempDir(t), 'locked')
  mkdirSync(locked, { mode: 0o700 })
  const server = await startServer(t, { args: [`--native-root=${join(locked, 'native')}`] })
  const id = await server.setPipeline('echo', ECHO)
  const runId = await trigger(server, id)
  const stopped = await trigger(server, id)
  const look = async (run: string) =>
    (await (await server.api(`/api/runs/${run}/status`)).json()) as Record<string, string>

  await until('the run waits', async () => (await look(runId))['waiting_reason'] !== undefined)
  const waiting = await look(runId)
  assert.equal(waiting['status'], 'queued')
  assert.equal(waiting['started_at'], undefined)
  assert.match(
    waiting['waiting_reason'] ?? '',
    /^driver unavailable: the user "nobody" of native steps cannot enter .*locked: /,
  )
  const page = await (await server.api(`/runs/${runId}/tasks`)).text()
  assert.match(page, /Waiting: driver unavailable: the user/)

  await until('the other one waits', async () => (await look(stopped))['status'] === 'queued')
  assert.equal((await server.api(`/api/runs/${stopped}/stop`, { method: 'POST' })).status, 200)
  assert.equal((await ended(server, stopped)).error_message, 'Run stopped by user')

  chmodSync(locked, 0o711)
  chmodSync(join(locked, '..'), 0o711)
  const run = await ended(server, runId)
  assert.equal(run.status, 'success')
  assert.equal((await look(runId))['waiting_reason'], undefined)
})
