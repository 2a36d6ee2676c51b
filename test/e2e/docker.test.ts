import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { before, test, type TestContext } from 'node:test'
import { BUSYBOX_IMAGE, DOCKER_HOST, ensureBusybox } from '../helpers/docker-engine.js'
import { startOwnEngine } from '../helpers/own-engine.js'
import { ended, getRun, getTasks, outputOf, runOnce, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { until } from '../helpers/until.js'

before(ensureBusybox)

const stepOf = (script: string, more = ''): string => `export const pipeline = async () => {
  await runtime.run({ name: 'step', image: '${BUSYBOX_IMAGE}',
    command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}] }, ${more} })
}`

test('a run waits for an engine that is stopped, says so, and goes on when it is started', async (t) => {
  const engine = await startOwnEngine(t)
  await engine.stop()
  const server = await startServer(t, { args: ['--driver=docker', `--docker-host=${engine.host}`] })
  const id = await server.setPipeline('p', stepOf('echo here'))
  const runId = await trigger(server, id)
  const waiting = await until('the run waits', async () => {
    const run = (await getRun(server, runId)) as { waiting_reason?: string; status: string }
    return run.waiting_reason
  })
  assert.match(
    waiting,
    /^driver unavailable: no Docker engine answers at unix:\/\/.*docker\.sock \(.*\): start it, or say where it is with --docker-host$/,
  )
  await engine.start()
  assert.equal((await ended(server, runId)).status, 'success')
  assert.equal(outputOf((await getTasks(server, runId))[0]), 'here\n')
  assert.equal(await engine.docker('ps', '-aq'), '')
})

test('a pipeline brings the address of its own engine', async (t) => {
  const proxy = await startProxy(t)
  const server = await startServer(t, {
    args: ['--driver=docker', '--docker-host=unix:///nowhere/docker.sock'],
  })
  const id = await server.setPipeline('p', stepOf('echo there'), {
    driver: 'docker',
    driver_config: { host: proxy },
  })
  const runId = await trigger(server, id)
  assert.equal((await ended(server, runId)).status, 'success')
  assert.equal(outputOf((await getTasks(server, runId))[0]), 'there\n')
})

test('what cannot be started says why', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker'] })
  const failure = async (content: string) => {
    const run = await runOnce(server, 'p', content)
    assert.equal(run.status, 'failed')
    return run.error_message ?? ''
  }
  const missing = stepOf('true').replace("path: 'sh'", "path: 'no-such-tool'")
  assert.match(
    await failure(missing),
    /command not found or not executable in image "pocketci-test\/busybox:1": "no-such-tool"/,
  )
  const image = stepOf('true').replace(BUSYBOX_IMAGE, '127.0.0.1:9/no/image:1')
  assert.match(await failure(image), /cannot pull image "127\.0\.0\.1:9\/no\/image:1": /)
  assert.match(
    await failure(stepOf('true', 'privileged: true')),
    /privileged containers are not allowed on this server/,
  )
  const escaping = stepOf('true', `mounts: { '../../etc': await volumes.create({ name: 'v' }) }`)
  assert.match(
    await failure(escaping),
    /the path "\.\.\/\.\.\/etc" leads out of the default work dir/,
  )
})

/** The machine's engine at a TCP port. */
async function startProxy(t: TestContext): Promise<string> {
  const path = new URL(DOCKER_HOST).pathname
  const server = createServer((socket) => {
    const engine = connect(path)
    socket.pipe(engine).pipe(socket)
    for (const end of [socket, engine]) end.on('error', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  // listening on TCP: the address is no pipe's name
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
}
