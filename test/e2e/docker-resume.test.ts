import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { BUSYBOX_IMAGE, ensureBusybox } from '../helpers/docker-engine.js'
import { ended, getTasks, outputOf, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'

before(ensureBusybox)

/** Each step prints its container's name, which no two containers share. */
const source = (code: number): string => `
export const pipeline = async () => {
  const step = (name: string, script: string, mounts = {}) =>
    runtime.run({ name, image: '${BUSYBOX_IMAGE}', mounts, command: { path: 'sh', args: ['-c', 'hostname; ' + script] } })
  const v = await volumes.create({ name: 'v' })
  await step('kept', 'true')
  await step('write', 'ls /v; echo x > /v/file', { '/v': v })
  const { code } = await step('fails', 'exit ${code}')
  if (code !== 0) throw new Error('it fails')
  await step('read', 'cat /v/file', { '/v': v })
}`

test('docker: a resume keeps what ended well, and has volumes of its own', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker', '--log-level=warn'] })
  const id = await server.setPipeline('p', source(1))
  const runId = await trigger(server, id)
  assert.match((await ended(server, runId)).error_message ?? '', /it fails/)
  const first = await outputs(runId)

  await server.setPipeline('p', source(0))
  const response = await server.api(`/api/runs/${runId}/resume`, { method: 'POST' })
  assert.equal(response.status, 200)
  const { status, error_message: message } = await ended(server, runId)
  assert.deepEqual([status, message], ['success', undefined])
  const second = await outputs(runId)
  assert.match(first['tasks/0-kept'] ?? '', /^[0-9a-f]{12}\n$/)
  assert.equal(second['tasks/0-kept'], first['tasks/0-kept'])
  assert.equal(second['earlier/1/tasks/1-write'], first['tasks/1-write'])
  // another container, and nothing was in its volume
  assert.match(second['tasks/1-write'] ?? '', /^[0-9a-f]{12}\n$/)
  assert.notEqual(second['tasks/1-write'], first['tasks/1-write'])
  assert.match(second['tasks/3-read'] ?? '', /\nx\n$/)

  async function outputs(run: string): Promise<Record<string, string>> {
    const tasks = await getTasks(server, run)
    return Object.fromEntries(
      tasks.map((task) => [task.path.slice(`/pipeline/${run}/`.length), outputOf(task)]),
    )
  }
})
