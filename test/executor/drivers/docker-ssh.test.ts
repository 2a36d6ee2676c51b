import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { openDockerDriver } from '../../../src/executor/drivers/docker/open-docker-driver.js'
import { BUSYBOX_IMAGE, ensureBusybox } from '../../helpers/docker-engine.js'
import { runCommand } from '../../helpers/process.js'
import { freePort } from '../../helpers/free-port.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'
import { collect } from './driver-contract.js'

before(ensureBusybox)

const never = new AbortController().signal

test('an engine at the other end of SSH runs steps; a host that is not known is refused', async (t) => {
  const { host, trust } = await startSshServer(t)
  const open = () =>
    openDockerDriver({ host, namespace: 'ci-ssh-test', instance: 'test', allowsPrivileged: false })
  await assert.rejects(open, {
    code: 'driver_unavailable',
    message:
      /^no Docker engine answers at ssh:\/\/127\.0\.0\.1:\d+ \(ssh ended with code 255: .*Host key verification failed/s,
  })
  trust()
  const driver = await open()
  await using _all = { [Symbol.asyncDispose]: () => driver.removeAll() }
  const spec = { image: BUSYBOX_IMAGE, env: {}, mounts: [{ volume: 'v', path: 'v' }] }
  const script = 'wc -c; echo kept >v/file; exit 3'
  const container = await driver.run(
    { ...spec, id: 'a', command: ['sh', '-c', script], stdin: 'x'.repeat(1_000_000) },
    never,
  )
  const { stdout, status } = await collect(container)
  assert.deepEqual([stdout.trim(), status.exitCode], ['1000000', 3])
  for await (const { content } of driver.readFiles('v', ['file']))
    for await (const bytes of content) assert.equal(bytes.toString(), 'kept\n')
})

/** A real sshd on loopback; the `ssh` that is found first has a configuration of the test's own. */
async function startSshServer(t: TestContext) {
  const dir = tempDir(t)
  const file = (name: string, content: string, mode = 0o600): string => {
    writeFileSync(join(dir, name), content, { mode })
    return join(dir, name)
  }
  for (const name of ['host', 'user'])
    await run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name))
  const authorized = file('authorized', readFileSync(join(dir, 'user.pub'), 'utf8'))
  const known = file('known', '')
  const port = await freePort()
  const server = [
    ...[
      '-o',
      `Port=${port}`,
      '-o',
      'ListenAddress=127.0.0.1',
      '-o',
      `HostKey=${join(dir, 'host')}`,
    ],
    ...['-o', `AuthorizedKeysFile=${authorized}`, '-o', 'StrictModes=no', '-o', 'UsePAM=no'],
    ...['-o', `PidFile=${join(dir, 'pid')}`, '-o', 'PermitRootLogin=yes'],
  ]
  mkdirSync('/run/sshd', { recursive: true })
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', '/dev/null', ...server])
  t.after(() => child.kill())

  const bin = join(dir, 'bin')
  mkdirSync(bin)
  const options = `-F /dev/null -i ${join(dir, 'user')} -o UserKnownHostsFile=${known}`
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh ${options} "$@"\n`)
  chmodSync(join(bin, 'ssh'), 0o755)
  const path = process.env['PATH']
  process.env['PATH'] = `${bin}:${path}`
  t.after(() => (process.env['PATH'] = path))

  const scan = () => runCommand('ssh-keyscan', ['-p', String(port), '127.0.0.1'])
  const { stdout: hostKey } = await until('sshd answers', async () => {
    const scanned = await scan()
    return scanned.stdout.includes('ssh-ed25519') ? scanned : undefined
  })
  return { host: `ssh://127.0.0.1:${port}`, trust: () => writeFileSync(known, hostKey) }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await runCommand(command, args)
  assert.equal(code, 0, stderr)
}
