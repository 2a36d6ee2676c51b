import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openDatabase } from '../../../src/shared/db/open.js'
import { runCli, startCli } from '../../helpers/cli-process.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'
import { tempDir } from '../../helpers/temp-dir.js'

/** What a server says that cannot start. */
async function failureOf(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(['server', '--log-level=error', ...args])
  assert.equal(code, 1, stderr)
  assert.equal(stdout, '')
  return stderr.slice(stderr.indexOf('pocketci: error: ')).trimEnd()
}

describe('a server that cannot start', () => {
  it('says that the database belongs to a newer version, and leaves it alone', async (t) => {
    const path = tempStorage(t)
    const db = openForTest(t, path, 'write')
    db.exec("update schema_versions set version = 999 where series = 'main'")
    const text = await failureOf(['--storage-sqlite-path', path])
    assert.match(
      text,
      /^pocketci: error: database .* has schema version 999, but this pocketci knows/,
    )
    const version = db.prepare("select version from schema_versions where series = 'main'")
    assert.equal(version.pluck().get(), 999)
  })

  it('says that the folder of the database is not there', async (t) => {
    const path = join(tempDir(t), 'no', 'such', 'ci.db')
    const text = await failureOf(['--storage-sqlite-path', path])
    assert.match(text, /it cannot be opened; check that its folder exists and is writable/)
  })

  it('says that the file is not a database', async (t) => {
    const path = join(tempDir(t), 'ci.db')
    writeFileSync(path, 'these are my notes, please do not overwrite them\n'.repeat(50))
    const text = await failureOf(['--storage-sqlite-path', path])
    assert.match(text, /the file is not a SQLite database/)
  })

  it('says that somebody holds the database', async (t) => {
    const path = join(tempDir(t), 'ci.db')
    const db = openDatabase(path, { mode: 'write' })
    t.after(() => db.close())
    db.exec('begin exclusive')
    const text = await failureOf(['--storage-sqlite-path', path])
    assert.match(text, /another process holds its write lock; stop it or try again/)
  })

  it('says that the passphrase is not the one of the secrets', async (t) => {
    const path = tempStorage(t)
    const args = ['--storage-sqlite-path', path, '--secrets-sqlite-passphrase']
    const { deriveMasterKey } = await import('../../../src/shared/secrets/master-key.js')
    await deriveMasterKey({ path, passphrase: 'right' })
    const text = await failureOf([...args, 'hunter2'])
    assert.match(text, /--secrets-sqlite-passphrase is not the one/)
    assert.doesNotMatch(text, /hunter2/)
  })

  it('says that the port is taken, and by which flag to choose another', async (t) => {
    const other = createServer().listen(0, '127.0.0.1')
    t.after(() => other.close())
    await new Promise((resolve) => other.once('listening', resolve))
    // listening on TCP: the address is no pipe's name
    const { port } = other.address() as AddressInfo
    const path = join(tempDir(t), 'ci.db')
    const text = await failureOf(['--storage-sqlite-path', path, '--port', String(port)])
    assert.match(
      text,
      new RegExp(`^pocketci: error: --port ${port} is in use by another program; `),
    )
  })
})

describe('a server', () => {
  it('tells its address and what to do next, warns of native where no engine is, and stops with 0', async (t) => {
    const path = join(tempDir(t), 'ci.db')
    const args = ['--port', '0', '--storage-sqlite-path', path, '--native-root', `${path}-native`]
    args.push('--docker-host', 'unix:///nowhere/docker.sock')
    const server = startCli(['server', ...args, '--executors', '2', '--secret', 'A=hunter2'])
    await server.says('is ready: http://127.0.0.1:')
    const titles = execFileSync('ps', ['-o', 'args=', '--ppid', String(server.pid)], {
      encoding: 'utf8',
    })
    assert.deepEqual(titles.trim().split('\n').toSorted(), [
      'pocketci api',
      'pocketci executor 1',
      'pocketci executor 2',
    ])
    assert.equal(
      execFileSync('ps', ['-o', 'args=', '-p', String(server.pid)], { encoding: 'utf8' }).trim(),
      'pocketci server',
    )
    server.child.kill('SIGTERM')
    const { code, stdout, stderr } = await server.exited
    assert.equal(code, 0)
    assert.match(stdout, /pocketci pipeline set hello.ts --server-url http:\/\/127.0.0.1:\d+\n/)
    assert.match(stderr, /no Docker engine answers, so pipelines run on the native driver/)
    assert.match(stderr, /the native driver runs steps on this machine without isolation/)
    assert.doesNotMatch(stdout + stderr, /hunter2/)
  })
})
