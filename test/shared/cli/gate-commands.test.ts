import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createGates } from '../../../src/shared/db/gates.js'
import { startTestApi } from '../../helpers/api.js'
import { runCli } from '../../helpers/cli-process.js'

const ID = '3d1f5c1e-5b0c-4d53-9a7e-2f6f0a3c8b11'

async function start(t: TestContext) {
  const api = await startTestApi(t)
  const runId = await api.trigger(await api.set('hello'))
  api.claim()
  createGates(api.db).insert(
    { id: ID, number: 1, name: 'deploy', message: 'go on?', approvers: [], timeoutMs: null },
    runId,
    Date.now(),
  )
  const gate = (...args: string[]) => runCli(['gate', ...args], { env: { CI_SERVER_URL: api.url } })
  return { api, runId, gate }
}

test('gate ls shows what waits, and all of one run', async (t) => {
  const { runId, gate } = await start(t)
  const { code, stdout, stderr } = await gate('ls')
  assert.equal(code, 0, stderr)
  const [head = '', row = ''] = stdout.split('\n')
  assert.match(head, /^ID +RUN +NAME +STATUS +BY +CREATED +UNTIL +MESSAGE$/)
  assert.match(row, new RegExp(`^${ID} +${runId} +deploy +pending +\\w{3} .* go on\\?$`))

  assert.equal((await gate('approve', ID)).code, 0)
  assert.deepEqual(JSON.parse((await gate('ls', '--json')).stdout), [])
  assert.equal(JSON.parse((await gate('ls', '--all', '--json')).stdout).length, 1)
  assert.equal(JSON.parse((await gate('ls', runId, '--json')).stdout)[0].status, 'approved')
  assert.match((await gate('ls', 'none')).stderr, /run "none" not found/)
})

test('gate approve and reject say what came of it', async (t) => {
  const { gate } = await start(t)
  const rejected = await gate('reject', ID, '--comment', 'not today')
  assert.deepEqual([rejected.code, rejected.stdout], [0, "Gate 'deploy' rejected\n"])
  const again = await gate('approve', ID)
  assert.equal(again.code, 1)
  assert.match(again.stderr, /approve gate: gate ".*" is already resolved/)
  assert.match((await gate('approve', 'none')).stderr, /gate "none" not found/)
})
