import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startApiProcess } from '../helpers/api-process.js'
import { childrenOf, startServer } from '../helpers/server.js'
import { traceProcess, type SystemCall } from '../helpers/strace.js'
import { tempDir } from '../helpers/temp-dir.js'

const CALLS = ['fdatasync', 'fsync', 'write', 'writev', 'sendto', 'sendmsg']

test('a trigger is answered after the write-ahead log was synced', async (t) => {
  const server = await startServer(t, { command: 'api' })
  const [pid = 0] = await childrenOf(server.child.pid ?? 0)
  assert.equal(syncsBeforeAnswer(await traceTrigger(t, server.url, pid)), true)
})

test('the check sees the difference: with commits that sync nothing it fails', async (t) => {
  const { url, pid } = await startApiProcess(t, 'normal')
  assert.equal(syncsBeforeAnswer(await traceTrigger(t, url, pid)), false)
})

async function traceTrigger(t: TestContext, url: string, pid: number): Promise<SystemCall[]> {
  const set = await fetch(`${url}/api/pipelines/p`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'export const pipeline = async () => {}', content_type: 'ts' }),
  })
  assert.equal(set.status, 200)
  return traceProcess(pid, { calls: CALLS, dir: tempDir(t) }, async () => {
    const response = await fetch(`${url}/api/pipelines/p/trigger`, { method: 'POST' })
    assert.equal(response.status, 202)
  })
}

/** Whether the log of the main database was synced before the bytes of the answer left. */
function syncsBeforeAnswer(calls: readonly SystemCall[]): boolean {
  const answer = calls.findIndex(({ text }) => text.includes('HTTP/1.1 202'))
  assert.notEqual(answer, -1, 'the trace holds the answer')
  return calls
    .slice(0, answer)
    .some(
      ({ name, text }) =>
        /^(fsync|fdatasync)$/.test(name) && /pocketci\.db-wal>\)\s+= 0/.test(text),
    )
}
