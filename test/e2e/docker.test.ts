import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { before, test, type TestContext } from 'node:test'
import { BUSYBOX_IMAGE, DOCKER_HOST, ensureBusybox } from '../helpers/docker-engine.js'
import { startOwnEngine } from '../helpers/own-engine.js'
import { startRegistry } from '../helpers/registry.js'
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
  const waiting = await until('the run waits for its driver', async () => {
    const { waiting_reason: reason = '' } = (await getRun(server, runId)) as {
      waiting_reason?: string
    }
    // until an executor has looked at it
    return reason === 'starts in a moment' ? undefined : reason
  })
  assert.match(
    waiting,
    /^driver unavailable: no Docker engine answers at unix:\/\/.*docker\.sock \(.*\): start it, or say where it is with --docker-host$/,
  )
  await engine.start()
  assert.equal((await ended(server, runId)).status, 'success')
  assert.equal(outputOf((await getTasks(server, runId))[0]), 'here\n')
  // its row is written first, so that no other executor takes it for one that has to go on
  await until('its container is gone', async () => (await engine.docker('ps', '-aq')) === '')
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
  const { address } = await startRegistry(t)
  const image = stepOf('true').replace(BUSYBOX_IMAGE, `${address}/no/image:1`)
  assert.match(
    await failure(image),
    /cannot pull image "127\.0\.0\.1:\d+\/no\/image:1": it does not/,
  )
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

test('a step waits for a registry that is away, says so, and pulls when it is back', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker'] })
  const registry = await startRegistry(t)
  const image = await registry.push(BUSYBOX_IMAGE, 'team/app:2')
  registry.stop()
  const id = await server.setPipeline('p', stepOf('echo on').replace(BUSYBOX_IMAGE, image))
  const runId = await trigger(server, id)
  const note = await until('the step waits', async () => {
    const [task] = await getTasks(server, runId)
    return task?.payload.error_message
  })
  assert.match(note, /cannot pull image .*connection refused; trying again$/)
  await registry.start()
  const run = await ended(server, runId)
  assert.equal(run.status, 'success', run.error_message)
  const [task] = await getTasks(server, runId)
  assert.equal(outputOf(task), 'on\n')
  assert.match(outputOf(task, 'stderr'), /^(pulling image .*\n)+pulled image .*\n$/)
  assert.equal(task?.payload.error_message, undefined)
})

test('a step waits for a registry that does not answer, says so, and can be stopped', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker'] })
  const image = stepOf('true').replace(BUSYBOX_IMAGE, '127.0.0.1:9/no/image:1')
  const run = await trigger(server, await server.setPipeline('p', image))
  await until('the step waits', async () => {
    const [task] = await getTasks(server, run)
    return task?.payload.error_message?.endsWith('connection refused; trying again')
  })
  assert.equal((await server.api(`/api/runs/${run}/stop`, { method: 'POST' })).status, 200)
  assert.equal((await ended(server, run)).error_message, 'Run stopped by user')
})

test('a step may have any name; output is kept as the step wrote it', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker'] })
  const names = [
    'a b/c',
    '../../x',
    'ü“$(id)`',
    '-rf',
    '',
    'a\nb\t',
    '.',
    '😀'.repeat(100),
    'same',
    'same',
  ]
  const script = String.raw`printf '\000\377%s\n\033[31mred\r' "$0"; printf 'no end' >&2`
  const run = await runOnce(
    server,
    'names',
    `export const pipeline = async () => {
      const results = await Promise.all(${JSON.stringify(names)}.map((name) => runtime.run({
        name, image: '${BUSYBOX_IMAGE}', command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}, name] },
      })))
      for (const { code } of results) assert.equal(code, 0)
    }`,
  )
  assert.equal(run.status, 'success', run.error_message)
  const tasks = await getTasks(server, run.id)
  assert.equal(tasks.length, names.length)
  for (const [at, name] of names.entries()) {
    const logs = await server.api(`/api/runs/${run.id}/logs?step=${at + 1}`)
    const bytes = Buffer.from(await logs.arrayBuffer()).toString('latin1')
    const shown = Buffer.from(name).toString('latin1')
    assert.ok(bytes.includes(`\0\xff${shown}\n\x1b[31mred\r`), JSON.stringify([name, bytes]))
    assert.ok(bytes.includes('no end'))
  }
})

test('an end by a signal, and by want of memory', async (t) => {
  const server = await startServer(t, { args: ['--driver=docker'] })
  const hog = 'x=; while :; do x=$x$x$x$(head -c 1000000 /dev/zero | tr "\\0" x); done'
  const run = await runOnce(
    server,
    'ends',
    `const run = (name, script, more = {}) => runtime.run({ name, image: '${BUSYBOX_IMAGE}',
      command: { path: 'sh', args: ['-c', script] }, ...more })
    export const pipeline = async () => {
      assert.equal((await run('signal', "sh -c 'kill -SEGV $$'; exit $?")).code, 139)
      assert.equal((await run('memory', ${JSON.stringify(hog)}, { containerLimits: { memory: 33554432 } })).code, 137)
      const { status, code } = await run('time', 'echo begun; sleep 600', { timeout: '2s' })
      assert.equal(status + code, 'abort124')
    }`,
  )
  assert.equal(run.status, 'success', run.error_message)
  const [signal, memory, time] = await getTasks(server, run.id)
  assert.equal(signal?.payload.code, 139)
  assert.equal(memory?.payload.error_message, 'killed: out of memory')
  assert.deepEqual([time?.payload.status, outputOf(time)], ['abort', 'begun\n'])
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
