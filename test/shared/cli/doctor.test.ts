import assert from 'node:assert/strict'
import { chmodSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { checkDocker } from '../../../src/shared/cli/doctor/check-docker.js'
import { checkDisks, checkOpenFiles } from '../../../src/shared/cli/doctor/check-machine.js'
import type { Finding } from '../../../src/shared/cli/doctor/finding.js'
import { openDatabase } from '../../../src/shared/db/open.js'
import { BIN, runCli } from '../../helpers/cli-process.js'
import { DOCKER_HOST, ensureEngine } from '../../helpers/docker-engine.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { runCommand } from '../../helpers/process.js'
import { startServer } from '../../helpers/server.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'
import { tempDir } from '../../helpers/temp-dir.js'

/** What it finds for a database, on a free port unless told otherwise. */
async function examine(path: string, ...more: string[]) {
  const args = ['--storage-sqlite-path', path, '--native-root', `${path}-native`, '--port', '0']
  const { code, stdout, stderr } = await runCli(['doctor', '--json', ...args, ...more])
  assert.equal(stderr, '')
  const findings = JSON.parse(stdout) as Finding[]
  for (const { status, advice } of findings) assert.equal(status === 'ok', advice === undefined)
  assert.equal(code, findings.some(({ status }) => status === 'fail') ? 1 : 0)
  const find = (check: string): Finding => {
    const found = findings.filter((finding) => finding.check === check)
    // of several the one that is not good
    const [worst = found[0]] = found.filter(({ status }) => status !== 'ok')
    assert(worst, `nothing about ${check}`)
    return worst
  }
  return { code, findings, find }
}

/** A folder that native steps could enter. */
function openDir(t: TestContext): string {
  const dir = tempDir(t)
  chmodSync(dir, 0o711)
  return dir
}

describe('doctor', () => {
  it('finds a machine good on which nothing is there yet, and leaves nothing there', async (t) => {
    await ensureEngine()
    const dir = openDir(t)
    const { code, findings, find } = await examine(
      join(dir, 'ci.db'),
      ...['--docker-host', DOCKER_HOST],
    )
    assert.deepEqual(
      findings.filter(({ status }) => status === 'fail'),
      [],
    )
    assert.equal(code, 0)
    assert.match(find('node').message, /^Node\.js 24\./)
    assert.match(find('database').message, /not there yet/)
    assert.match(find('docker').message, /^Docker engine \S+ \(API 1\.\d+\)/)
    assert.match(find('native').message, /^steps run as /)
    assert.deepEqual(readdirSync(dir), [])
  })

  it('looks at a server that runs, and does not disturb it', async (t) => {
    const server = await startServer(t)
    const { port } = new URL(server.url)
    const { code, find } = await examine(server.storage, '--port', port, '--full')
    assert.equal(code, 0)
    assert.equal(find('port').message, `pocketci answers at ${server.url} already`)
    assert.match(
      find('database').message,
      /main at version \d+, secrets at version \d+; every page and/,
    )
    assert.match(find('output').message, /logs at version \d+/)
    assert.match(find('secrets key').message, /keep a copy of it/)
    assert.equal((await server.api('/ready')).status, 200)
    assert.equal(await server.stop(), 0)
  })

  it('prints a line for each thing, and below it what to do', async (t) => {
    const path = join(openDir(t), 'ci.db')
    const args = ['--storage-sqlite-path', path, '--port=0', '--native-user', 'nobody-at-all']
    const { stdout } = await runCli(['doctor', ...args, '--docker-host', 'unix:///nowhere.sock'])
    assert.match(stdout, /^ok {4}node {12}Node\.js/m)
    assert.match(
      stdout,
      /^warn {2}docker {10}no Docker engine answers .*\n {22}→ start it, or say/m,
    )
    const { stdout: colored } = await runCli(['doctor', ...args, '--color'])
    assert(colored.includes('\u001b[32mok  \u001b[39m'))
  })

  it('says what is wrong with the settings, as the server would', async () => {
    const { code, stdout, stderr } = await runCli(['doctor', '--port', 'x', '--lease-ttl', '1ms'])
    assert.equal(code, 80)
    assert.equal(stdout, '')
    assert.match(stderr, /^pocketci: error: 2 settings are not valid:\n/)
  })
})

describe('doctor on databases', () => {
  it('that a newer version has written', async (t) => {
    const path = tempStorage(t)
    openForTest(t, path, 'write').exec(
      "update schema_versions set version = 999 where series = 'main'",
    )
    const { find } = await examine(path)
    assert.equal(find('database').status, 'fail')
    assert.match(find('database').message, /schema version 999 \(main\), but this pocketci knows/)
  })

  it('that are older, which is fine', async (t) => {
    const path = join(openDir(t), 'ci.db')
    openDatabase(path, { mode: 'write' }).close()
    chmodSync(path, 0o600)
    const { find } = await examine(path)
    assert.equal(find('database').status, 'ok')
    assert.match(find('database').message, /main at version 0, the next start takes it to \d+/)
  })

  it('that are none, or damaged', async (t) => {
    const path = join(openDir(t), 'ci.db')
    writeFileSync(path, 'my notes\n'.repeat(500))
    assert.match(
      (await examine(path)).find('database').message,
      /the file is not a SQLite database/,
    )

    const damaged = join(openDir(t), 'ci.db')
    const db = openDatabase(damaged, { mode: 'write' })
    db.exec('create table t (x text); create index i on t (x)')
    const insert = db.prepare('insert into t values (?)')
    for (let at = 0; at < 2_000; at++) insert.run(`some text of row ${at}`)
    db.close()
    const file = await open(damaged, 'r+')
    await file.write(Buffer.alloc(4_096, 0xa5), 0, 4_096, 8_192)
    await file.close()
    const { find } = await examine(damaged)
    assert.equal(find('database').status, 'fail')
    assert.match(find('database').message, /is damaged|the file is damaged/)
  })

  it('that are too large to be read through by the way', async (t) => {
    const path = join(openDir(t), 'ci.db')
    const db = openDatabase(path, { mode: 'write' })
    db.exec('create table t (x)')
    db.close()
    chmodSync(path, 0o600)
    // a hole takes no space of the disk
    truncateSync(path, 1024 ** 3 + 4_096)
    const { find } = await examine(path)
    assert.match(find('database').message, /not read through, which --full does/)
  })

  it('whose folder is not there', async (t) => {
    const folder = join(openDir(t), 'no', 'such')
    const { find } = await examine(join(folder, 'ci.db'))
    assert.deepEqual(find('database'), {
      check: 'database',
      status: 'fail',
      message: `${folder}/ci.db: its folder is not there`,
      advice: `mkdir -p ${folder}`,
    })
  })

  it('that others can read, or whose key they can', async (t) => {
    const server = await startServer(t)
    await server.stop()
    chmodSync(server.storage, 0o644)
    chmodSync(`${server.storage}.key`, 0o640)
    const { find } = await examine(server.storage)
    assert.equal(find('database').status, 'warn')
    assert.equal(find('database').advice, `chmod 600 ${server.storage}*`)
    assert.equal(find('secrets key').status, 'fail')
    assert.equal(statSync(server.storage).mode & 0o777, 0o644)
  })

  it('whose key is lost', async (t) => {
    const server = await startServer(t)
    await server.stop()
    rmSync(`${server.storage}.key`)
    const { find } = await examine(server.storage)
    assert.equal(find('secrets key').status, 'fail')
    assert.match(find('secrets key').message, /is missing/)
    const { findings } = await examine(server.storage, '--secrets-sqlite-passphrase', 'hunter2')
    assert(!findings.some(({ check }) => check === 'secrets key'))
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/)
  })
})

describe('doctor on the port', () => {
  it('that another program has', async (t) => {
    const other = createServer((socket) => socket.end('hello\n')).listen(0, '127.0.0.1')
    t.after(() => other.close())
    await new Promise((resolve) => other.once('listening', resolve))
    // listening on TCP: the address is no pipe's name
    const { port } = other.address() as AddressInfo
    const { find } = await examine(join(openDir(t), 'ci.db'), '--port', String(port))
    assert.equal(find('port').status, 'fail')
    assert.equal(find('port').message, `127.0.0.1:${port} is in use by another program`)
  })

  it('that a pocketci has which cannot serve', async (t) => {
    const { url } = await startHttpStandIn(t, (request, response) => {
      response.setHeader('x-request-id', 'abc')
      if (request.url === '/health') response.end('OK')
      else response.writeHead(503).end('the database does not answer')
    })
    const { find } = await examine(join(openDir(t), 'ci.db'), '--port', new URL(url).port)
    assert.equal(find('port').status, 'warn')
    assert.match(find('port').message, /but not ready: the database does not answer$/)
  })

  it('of an address that is not ours', async (t) => {
    const args = ['--port', '8080', '--host', '192.0.2.1']
    const { find } = await examine(join(openDir(t), 'ci.db'), ...args)
    assert.equal(find('port').message, 'this machine has no address 192.0.2.1')
  })
})

describe('doctor on drivers', () => {
  const dead = { host: 'tcp://me:hunter2@127.0.0.1:1', isAllowed: true }

  it('without an engine: a warning, unless runs would wait for one', async () => {
    for (const isNeeded of [true, false]) {
      const [finding] = await checkDocker({ ...dead, isNeeded })
      assert.equal(finding?.status, isNeeded ? 'fail' : 'warn')
      assert.match(finding.message, /^no Docker engine answers at tcp:\/\/127\.0\.0\.1:1 \(/)
      assert.doesNotMatch(JSON.stringify(finding), /hunter2/)
    }
  })

  it('with an engine that is too old', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 200, { Version: '18.06', ApiVersion: '1.38' }),
    )
    const [finding] = await checkDocker({ host: url, isAllowed: true, isNeeded: true })
    assert.match(finding?.message ?? '', /^the Docker engine 18\.06 at .* is too old$/)
    assert.match(finding?.advice ?? '', /^API 1\.40 \(Docker 19\.03\) is needed, it has 1\.38/)
  })

  it('with an address that is none', async () => {
    const [finding] = await checkDocker({ host: 'nonsense', isAllowed: true, isNeeded: true })
    assert.equal(finding?.status, 'fail')
    assert.match(finding.message, /has to be unix:\/\/\/path/)
  })

  it('that are not allowed', async (t) => {
    const { find } = await examine(join(openDir(t), 'ci.db'), '--allowed-drivers', 'native')
    assert.equal(find('docker').message, 'not looked at: --allowed-drivers leaves it out')
  })

  it('with a user of native steps that is not there', async (t) => {
    const args = ['--driver', 'native', '--native-user', 'nobody-at-all']
    const { find } = await examine(join(openDir(t), 'ci.db'), ...args)
    if (process.getuid?.() === 0) {
      assert.equal(find('native').status, 'fail')
      assert.match(find('native').message, /there is no user "nobody-at-all"/)
    } else assert.equal(find('native').status, 'ok')
  })
})

describe('doctor on limits', () => {
  it('few open files', async (t) => {
    const path = join(openDir(t), 'ci.db')
    const command = `ulimit -n 300 && exec '${process.execPath}' '${BIN}' doctor --json --port 0 --storage-sqlite-path '${path}'`
    const { stdout } = await runCommand('bash', ['-c', command])
    const found = (JSON.parse(stdout) as Finding[]).find(({ check }) => check === 'open files')
    assert.equal(found?.status, 'warn')
    assert.equal(found.message, '300 open files are allowed')
    const statusOf = (limit: string) =>
      checkOpenFiles(`Max open files  ${limit}  9 files`)[0]?.status
    assert.deepEqual(['64', '300', '4096', 'unlimited'].map(statusOf), ['fail', 'warn', 'ok', 'ok'])
  })

  it('a disk without room', () => {
    // this one never has any
    const [finding] = checkDisks(['/proc'])
    assert.equal(finding?.status, 'fail')
    assert.equal(finding.message, '0 MiB free below /proc')
  })
})
