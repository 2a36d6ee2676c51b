import assert from 'node:assert/strict'
import { chmodSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pino } from 'pino'
import { openNativeDriver } from '../../../src/executor/drivers/native/open-native-driver.js'
import { isAlive } from '../../helpers/process.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'
import { collect, describeDriverContract, firstOutput } from './driver-contract.js'

const roots = new Map<string, string>()
const never = new AbortController().signal

async function open(t: TestContext, namespace: string, outputBytes = 64 * 1_048_576) {
  const dir = roots.get(namespace) ?? tempDir(t)
  roots.set(namespace, dir)
  chmodSync(dir, 0o711)
  const logs: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) })
  const driver = await openNativeDriver({
    root: join(dir, 'native'),
    namespace,
    instance: 'test',
    user: 'nobody',
    outputBytes,
    logger,
  })
  return Object.assign(driver, { logs, dir })
}

describeDriverContract({ name: 'native', image: '', open })

const base = { image: '', env: {}, mounts: [] }
const sh = (script: string) => ['sh', '-c', script] as const

async function started(t: TestContext, outputBytes?: number) {
  const driver = await open(t, `ci-native-${Math.random().toString(36).slice(2)}`, outputBytes)
  t.after(() => driver.removeAll())
  return driver
}

test('as root a step is the native user, without a group, a capability or a way back', async (t) => {
  assert.equal(process.getuid?.(), 0, 'these tests run as root')
  const driver = await started(t)
  const { stdout } = await collect(
    await driver.run(
      { ...base, id: 'a', command: sh('id; grep -E "CapEff|NoNewPrivs" /proc/self/status') },
      never,
    ),
  )
  assert.match(stdout, /^uid=\d+\(nobody\) gid=\d+\(nogroup\) groups=\d+\(nogroup\)$/m)
  assert.match(stdout, /CapEff:\s+0{16}/)
  assert.match(stdout, /NoNewPrivs:\s+1/)
})

test('a step gets no open file of the executor', async (t) => {
  const driver = await started(t)
  const { stdout } = await collect(
    await driver.run({ ...base, id: 'a', command: sh('echo /proc/self/fd/*') }, never),
  )
  const open = stdout
    .trim()
    .split(' ')
    .map((path) => Number(path.split('/').at(-1)))
  // what whoever started this process left open to all its children is not the driver's to close
  const own = open.filter((fd) => !isInherited(fd))
  assert.deepEqual(own.sort((a, b) => a - b).slice(0, 3), [0, 1, 2])
  // one more: the folder that the shell reads
  assert.ok(own.length <= 4, stdout)
})

test('an LD_PRELOAD of a step is data to the processes above it, which are root’s', async (t) => {
  const driver = await started(t)
  const env = { LD_PRELOAD: '/nowhere.so', BASH_ENV: '/nowhere', IFS: 'x', PATH: '/bin:/usr/bin' }
  const { stdout, stderr } = await collect(
    await driver.run({ ...base, id: 'a', env, command: sh('echo "$LD_PRELOAD"') }, never),
  )
  assert.equal(stdout, '/nowhere.so\n')
  // the dynamic linker complains in the step's own processes alone
  assert.match(stderr, /nowhere\.so/)
})

test('no value of the environment is on any command line', async (t) => {
  const driver = await started(t)
  const env = { TOKEN: 'never-on-a-command-line' }
  const container = await driver.run(
    { ...base, id: 'a', env, command: sh('echo up; sleep 600') },
    never,
  )
  await firstOutput(container)
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    assert.equal(commandLineOf(pid).includes('never-on-a-command-line'), false)
})

test('a process that leaves the group and the session is killed as well', async (t) => {
  const driver = await started(t)
  const container = await driver.run(
    { ...base, id: 'a', command: sh('setsid sh -c "echo \\$\\$; sleep 600" & sleep 600') },
    never,
  )
  const pid = Number(await firstOutput(container))
  assert.equal(isAlive(pid), true)
  await container.kill(500)
  await until('the grandchild is gone', () => !isAlive(pid))
})

test('limits are enforced by control groups, and running out of memory is told apart', async (t) => {
  const driver = await started(t)
  const container = await driver.run(
    {
      ...base,
      id: 'a',
      limits: { memory: 64 * 1_048_576, cpu: 512 },
      command: sh('x=$(head -c 300000000 /dev/zero | tr "\\0" x); echo survived'),
    },
    never,
  )
  const { status, stdout } = await collect(container)
  assert.equal(stdout, '')
  assert.equal(status.isOutOfMemory, true)
  assert.ok(status.exitCode > 0)
})

test('a fork bomb meets the limit of processes, and its neighbour does not notice', async (t) => {
  const driver = await started(t)
  const bomb = await driver.run(
    {
      ...base,
      id: 'a',
      command: sh('i=0; while [ $i -lt 2000 ]; do sleep 30 & i=$((i+1)); done; echo $i'),
    },
    never,
  )
  await until('the bomb meets its limit', async () => {
    for await (const { stream } of bomb.output({ signal: AbortSignal.timeout(300) }))
      if (stream === 'stderr') return true
    return false
  })
  const { stdout } = await collect(
    await driver.run({ ...base, id: 'b', command: sh('echo fine') }, never),
  )
  assert.equal(stdout, 'fine\n')
  await bomb.remove()
})

test('output above the limit is not kept, but counted', async (t) => {
  const driver = await started(t, 1_048_576)
  const container = await driver.run(
    { ...base, id: 'a', command: sh('head -c 5000000 /dev/zero') },
    never,
  )
  let kept = 0
  let skipped = 0
  for await (const { bytes, skippedBytes = 0 } of container.output()) {
    kept += bytes.length
    skipped += skippedBytes
  }
  assert.equal(kept + skipped, 5_000_000)
  assert.ok(kept >= 1_048_576 && kept < 1_100_000, String(kept))
  assert.equal((await container.wait()).exitCode, 0)
})

test('a container whose wrapper was killed is lost, not failed', async (t) => {
  const driver = await started(t)
  const container = await driver.run({ ...base, id: 'a', command: sh('echo up; sleep 600') }, never)
  await firstOutput(container)
  const claim = readFileSync(
    join(driver.dir, 'native', readdirSync(join(driver.dir, 'native'))[0] ?? '', 'control/a/claim'),
    'utf8',
  )
  process.kill(Number(claim.split(' ')[0]), 'SIGKILL')
  const status = await container.wait()
  assert.equal(status.isLost, true)
})

test('an unknown native user is refused when the driver is opened', async (t) => {
  const options = {
    root: join(tempDir(t), 'n'),
    namespace: 'ci-x',
    instance: 'test',
    outputBytes: 1,
    logger: pino({ level: 'silent' }),
  }
  await assert.rejects(openNativeDriver({ ...options, user: 'no-such-user' }), {
    code: 'native_user_unknown',
  })
})

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return '' // it is gone
  }
}

/** Open in this process without close-on-exec, and not by Node: Node sets it on all that it opens. */
function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return fd > 2 && (Number.parseInt(flags ?? '0', 8) & 0o2000000) === 0
  } catch {
    return false // not open here
  }
}
