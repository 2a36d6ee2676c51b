import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { openDockerDriver } from '../../../src/executor/drivers/docker/open-docker-driver.js'
import type { ContainerSpec } from '../../../src/executor/drivers/driver.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { BUSYBOX_IMAGE, DOCKER_HOST, docker, ensureBusybox } from '../../helpers/docker-engine.js'
import { startRegistry } from '../../helpers/registry.js'
import { startOwnEngine } from '../../helpers/own-engine.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { collect, describeDriverContract, firstOutput } from './driver-contract.js'

before(ensureBusybox)

const never = new AbortController().signal

const open = (_t: TestContext, namespace: string, allowsPrivileged = false) =>
  openDockerDriver({ host: DOCKER_HOST, namespace, instance: 'test', allowsPrivileged })

describeDriverContract({ name: 'docker', image: BUSYBOX_IMAGE, open })

async function start(t: TestContext, allowsPrivileged = false) {
  const namespace = `ci-docker-${randomBytes(6).toString('hex')}`
  const driver = await open(t, namespace, allowsPrivileged)
  t.after(() => driver.removeAll())
  const spec = (script: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
    id: 'a',
    image: BUSYBOX_IMAGE,
    command: ['sh', '-c', script],
    env: {},
    mounts: [],
    ...more,
  })
  const sh = async (script: string, more: Partial<ContainerSpec> = {}) =>
    collect(await driver.run(spec(script, more), never))
  return { namespace, driver, spec, sh }
}

test('user, as a name and as a number', async (t) => {
  const { sh } = await start(t)
  assert.equal((await sh('whoami', { user: 'nobody' })).stdout, 'nobody\n')
  assert.match((await sh('id', { id: 'b', user: '1234:5' })).stdout, /^uid=1234 gid=5/)
})

test('a step has few capabilities, gains none, and meets the limit of processes', async (t) => {
  const { sh, namespace } = await start(t)
  const { stdout } = await sh('grep -E "CapEff|NoNewPrivs" /proc/self/status')
  // the fourteen of Docker less NET_RAW (13) and MKNOD (27)
  assert.match(stdout, /CapEff:\s+00000000a00405fb|CapEff:\s+0000000080040\w+/)
  const caps = BigInt(`0x${/CapEff:\s+(\w+)/.exec(stdout)?.[1]}`)
  assert.equal(caps & ((1n << 13n) | (1n << 27n) | (1n << 21n)), 0n, 'NET_RAW, MKNOD, SYS_ADMIN')
  assert.match(stdout, /NoNewPrivs:\s+1/)
  const pids = await docker('inspect', '-f', '{{.HostConfig.PidsLimit}}', `${namespace}-a`)
  assert.equal(pids, '512')
})

test('privileged is refused unless the operator allows it', async (t) => {
  const { driver, spec } = await start(t)
  await assert.rejects(driver.run(spec('true', { privileged: true }), never), {
    code: 'container_failed',
    message: /privileged containers are not allowed on this server.*--allow-privileged/,
  })
  const allowed = await start(t, true)
  const outcome = await allowed
    .sh('grep CapEff /proc/self/status', { privileged: true })
    .catch((error: unknown) => String(error))
  // an engine that is itself without all rights gets the request and cannot fulfil it
  if (typeof outcome === 'string') assert.match(outcome, /unable to apply caps: operation not perm/)
  else assert.match(outcome.stdout, /CapEff:\s+0*1?[37]?f{8,}/)
})

test('limits are those of the control groups', async (t) => {
  const { sh } = await start(t)
  const { stdout } = await sh(
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.weight',
    { limits: { cpu: 512, memory: 134_217_728 } },
  )
  const [memory, cpu] = stdout.trim().split('\n')
  assert.equal(memory, '134217728')
  assert.ok(['512', '20'].includes(cpu ?? ''), cpu)
})

test('running out of memory is told apart from a failure', async (t) => {
  const { sh } = await start(t)
  const hog = 'x=; while :; do x=$x$x$x$(head -c 1000000 /dev/zero | tr "\\0" x); done'
  const { status } = await sh(hog, { limits: { memory: 33_554_432 } })
  assert.equal(status.isOutOfMemory, true)
  assert.equal(status.exitCode, 137)
})

test('no engine is "driver unavailable", with the address and no password', async () => {
  for (const host of ['unix:///nowhere/docker.sock', 'tcp://me:secret@127.0.0.1:9'])
    await assert.rejects(
      openDockerDriver({ host, namespace: 'ci-x', instance: 'test', allowsPrivileged: false }),
      (error: Error & { code: string }) =>
        error.code === 'driver_unavailable' &&
        /no Docker engine answers at \S+ \(.*\): start it, or say where it is with --docker-host/.test(
          error.message,
        ) &&
        !error.message.includes('secret'),
    )
  await assert.rejects(
    openDockerDriver({
      host: 'nonsense',
      namespace: 'ci-x',
      instance: 'test',
      allowsPrivileged: false,
    }),
    { code: 'driver_config_invalid' },
  )
})

test('100 MB of input arrive whole', async (t) => {
  const { sh } = await start(t)
  const { stdout } = await sh('wc -c', { stdin: 'x'.repeat(100_000_000) })
  assert.equal(stdout.trim(), '100000000')
})

test('a line without an end is not given one, neither live nor later', async (t) => {
  const { driver, spec } = await start(t)
  const container = await driver.run(spec('printf "no end"; printf err >&2'), never)
  for (let look = 0; look < 2; look++) {
    const { stdout, stderr } = await collect(container)
    assert.deepEqual([stdout, stderr], ['no end', 'err'])
  }
})

test('a container that was created and not started by one that died is started, one that ran is not', async (t) => {
  const { driver, spec, namespace } = await start(t)
  await docker(
    'create',
    '--name',
    `${namespace}-a`,
    '--label',
    `orchestra.namespace=${namespace}`,
    BUSYBOX_IMAGE,
    'echo',
    'created',
  )
  assert.equal(await driver.find('a'), undefined)
  const container = await driver.run(spec('echo other'), never)
  assert.equal((await collect(container)).stdout, 'created\n')
  const other = await open(t, namespace)
  assert.equal((await collect(await other.run(spec('echo again'), never))).stdout, 'created\n')
  assert.equal(await docker('inspect', '-f', '{{.RestartCount}}', `${namespace}-a`), '0')
})

test('the things of one run are found by their exact name and removed by their exact label', async (t) => {
  const { namespace, driver, spec } = await start(t)
  const longer = await openDockerDriver({
    host: DOCKER_HOST,
    namespace: `${namespace}1`,
    instance: 'test',
    allowsPrivileged: false,
  })
  t.after(() => longer.removeAll())
  const neighbour = await longer.run(
    spec('sleep 600', { mounts: [{ volume: 'v', path: 'v' }] }),
    never,
  )
  assert.equal(await driver.find('a'), undefined)
  await driver.run(spec('sleep 600', { mounts: [{ volume: 'v', path: 'v' }] }), never)
  await driver.removeAll()
  assert.equal(await listOf(namespace), '')
  assert.equal((await longer.find('a'))?.id, neighbour.id)
  await longer.removeAll()
  assert.equal(await listOf(`${namespace}1`), '')
})

async function listOf(namespace: string): Promise<string> {
  const filter = `label=orchestra.namespace=${namespace}`
  const containers = await docker('ps', '-aq', '--filter', filter)
  const volumes = await docker('volume', 'ls', '-q', '--filter', filter)
  return [containers, volumes].filter(Boolean).join('\n')
}

test('a kill ends what a sandbox command has started as well', async (t) => {
  const { driver, spec } = await start(t)
  const { command: _, ...base } = spec('')
  const sandbox = await driver.startSandbox(base, never)
  const exec = await sandbox.exec(
    { id: '1', command: ['sh', '-c', 'sleep 600 & echo up; wait'], env: {} },
    never,
  )
  await firstOutput(exec)
  await exec.kill(500)
  assert.ok((await exec.wait()).exitCode > 128)
  const ps = await sandbox.exec({ id: '2', command: ['ps'], env: {} }, never)
  assert.doesNotMatch((await collect(ps)).stdout, /sleep 600/)
  assert.equal((await collect(exec)).stdout, 'up\n')
})

test('an engine that restarts in the middle of a step: it is lost, its output is whole', async (t) => {
  const engine = await startOwnEngine(t)
  const namespace = `ci-docker-${randomBytes(6).toString('hex')}`
  // what it makes goes with its engine
  const driver = await openDockerDriver({
    host: engine.host,
    namespace,
    instance: 'test',
    allowsPrivileged: false,
  })
  const { spec } = await start(t)
  const container = await driver.run(spec('echo before; sleep 600; echo never'), never)
  const reading = collect(container)
  await firstOutput(container)
  await engine.stop()
  await assert.rejects(driver.run({ ...spec('true'), id: 'b' }, never), {
    code: 'driver_unavailable',
  })
  await engine.start()
  const { stdout, status } = await reading
  assert.equal(stdout, 'before\n')
  assert.equal(status.isLost, true)
  assert.equal(
    (await collect(await driver.run({ ...spec('echo on'), id: 'c' }, never))).stdout,
    'on\n',
  )
})

test('an engine that is too old says so', async (t) => {
  const dir = tempDir(t)
  const socket = join(dir, 'docker.sock')
  const old = createServer((_request, response) =>
    response.end(JSON.stringify({ Version: '18.09.1', ApiVersion: '1.39' })),
  ).listen(socket)
  t.after(() => old.close())
  await once(old, 'listening')
  await assert.rejects(
    openDockerDriver({
      host: `unix://${socket}`,
      namespace: 'ci-x',
      instance: 'test',
      allowsPrivileged: false,
    }),
    {
      code: 'driver_unavailable',
      message: `the Docker engine 18.09.1 at unix://${socket} is too old: API 1.40 (Docker 19.03) is needed, it has 1.39`,
    },
  )
})

test('a registry that is away is told apart from an image that it does not have', async (t) => {
  const { driver, spec } = await start(t)
  const registry = await startRegistry(t)
  const image = `${registry.address}/team/app:1`
  await assert.rejects(driver.run(spec('true', { image }), never), {
    code: 'image_unavailable',
    message:
      /^cannot pull image "127\.0\.0\.1:\d+\/team\/app:1": it does not exist, or its registry refuses access: /,
  })
  registry.stop()
  await assert.rejects(driver.run(spec('true', { image }), never), {
    code: 'registry_unavailable',
    message: /^cannot pull image "127\.0\.0\.1:\d+\/team\/app:1": .*connection refused/,
  })
})

const REGISTRIES: [string, number, string, string][] = [
  ['knows no such image', 404, 'MANIFEST_UNKNOWN', 'image_unavailable'],
  ['refuses access', 401, 'UNAUTHORIZED', 'image_unavailable'],
  ['is overloaded', 503, 'UNAVAILABLE', 'registry_unavailable'],
  ['has had enough', 429, 'TOOMANYREQUESTS', 'registry_unavailable'],
]
for (const [what, status, code, expected] of REGISTRIES)
  test(`an image of a registry that ${what} is ${expected}`, async (t) => {
    const registry = await startHttpStandIn(t, ({ url }, response) => {
      if (url === '/v2/') return answerJson(response, 200, {})
      const message = code.toLowerCase().replaceAll('_', ' ')
      answerJson(response, status, { errors: [{ code, message }] })
    })
    const { driver, spec } = await start(t)
    const image = `${registry.url.replace('http://', '')}/no/such-image:7`
    await assert.rejects(driver.run(spec('true', { image }), never), { code: expected })
    assert.ok(registry.seen.length > 0, 'the engine has asked')
  })

test('an image is pulled when the engine does not have it, by tag and by digest', async (t) => {
  const { driver, spec } = await start(t)
  const registry = await startRegistry(t)
  const image = await registry.push(BUSYBOX_IMAGE, 'team/app')
  const run = async (id: string, name: string) => {
    const progress: string[] = []
    const container = await driver.run(
      spec('echo ran', { id, image: name, onProgress: (text) => void progress.push(text) }),
      never,
    )
    assert.equal((await collect(container)).stdout, 'ran\n')
    return progress
  }
  assert.deepEqual(await run('a', image), [`pulling image ${image}\n`, `pulled image ${image}\n`])
  // what is there is not asked for again
  registry.stop()
  assert.deepEqual(await run('b', image), [])
  const digests = await docker('inspect', '-f', '{{index .RepoDigests 0}}', image)
  assert.deepEqual(await run('c', digests), [])
})
