import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BUSYBOX_IMAGE, docker, ensureBusybox } from '../helpers/docker-engine.js'
import { tiersOf } from '../helpers/processes.js'
import { ended, getTasks, outputOf, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

before(ensureBusybox)

const KILLS = process.env['POCKETCI_TEST_LONG'] ? 50 : 5
const ARGS = ['--driver=docker', '--lease-ttl=2s', '--log-level=warn']
const LINES = 8

/** Steps note their start in a volume, which the last one shows; each prints lines with its container's name. */
const PIPELINE = `
const image = '${BUSYBOX_IMAGE}'
const script = (n) => 'echo ' + n + ' >> /ledger/starts; i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "$(hostname) $i"; sleep 0.02; done'
export const pipeline = async () => {
  const mounts = { '/ledger': await volumes.create({ name: 'ledger' }) }
  const step = (n, onOutput) =>
    runtime.run({ name: 'step ' + n, image, mounts, command: { path: 'sh', args: ['-c', script(n)] }, ...(onOutput && { onOutput }) })
  await step(0)
  await Promise.all([1, 2, 3].map((n) => step(n)))
  let heard = ''
  const { stdout } = await step(4, (_, data) => { heard += data })
  console.log(heard === stdout)
  const sandbox = await runtime.startSandbox({ name: 'box', image, mounts })
  for (const n of [5, 6]) await sandbox.exec({ command: { path: 'sh', args: ['-c', script(n)] } })
  await sandbox.close()
  for (const n of [7, 8, 9]) await step(n)
  const all = await runtime.run({ name: 'show', image, mounts, command: { path: 'sort', args: ['-n', '/ledger/starts'] } })
  console.log(all.stdout.trim().split('\\n').join(' '))
}`

test(`SIGKILL of the executor at ${KILLS} random points: each container ran once, its output is whole`, async (t) => {
  const server = await startServer(t, { args: ARGS })
  const id = await server.setPipeline('p', PIPELINE)
  for (let kill = 0; kill < KILLS; kill++) {
    const run = await trigger(server, id)
    await sleep(Math.random() * 6_000)
    const executor = await until('an executor runs', async () =>
      (await tiersOf(server)).find(({ name }) => name.includes('executor')),
    )
    process.kill(executor.pid, 'SIGKILL')
    await checkRun(server, run)
  }
})

test('SIGKILL of the whole server in the middle of a step: the same container goes on', async (t) => {
  const dir = tempDir(t)
  const server = await startServer(t, { dir, args: ARGS })
  const run = await trigger(server, await server.setPipeline('p', PIPELINE))
  await until('a step prints', async () =>
    outputOf((await getTasks(server, run))[0]).includes(' 2\n'),
  )
  await server.killTree()
  await checkRun(await startServer(t, { dir, args: ARGS }), run)
})

async function checkRun(server: TestServer, run: string): Promise<void> {
  const { status, error_message: message } = await ended(server, run, 120_000)
  assert.deepEqual([status, message], ['success', undefined])
  const text = await (await server.api(`/api/runs/${run}/logs?step=0`)).text()
  const lines = text.split('\n').filter(Boolean)
  assert.deepEqual(lines, ['true', '0 1 2 3 4 5 6 7 8 9'])
  for (const task of await getTasks(server, run)) {
    if (!/step|exec/.test(task.path)) continue
    const printed = outputOf(task).trim().split('\n')
    const [host] = (printed[0] ?? '').split(' ')
    assert.deepEqual(
      printed,
      Array.from({ length: LINES }, (_, at) => `${host} ${at + 1}`),
    )
  }
  const label = `label=orchestra.namespace=ci-${run}`
  await until('nothing is left', async () => (await docker('ps', '-aq', '--filter', label)) === '')
}
