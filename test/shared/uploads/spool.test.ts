import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openSpool } from '../../../src/shared/uploads/spool.js'
import { readAll } from '../../helpers/streams.js'
import { tempDir } from '../../helpers/temp-dir.js'

const open = (t: TestContext) => {
  const storage = join(tempDir(t), 'pocketci.db')
  return { spool: openSpool(storage), folder: `${storage}-spool` }
}

test('a file is there when it was kept, for its owner alone', async (t) => {
  const { spool, folder } = open(t)
  let name
  {
    await using file = await spool.create()
    await file.write(Buffer.from('one,'))
    await file.write(Buffer.from('two'))
    await file.sync()
    file.keep()
    name = file.name
  }
  assert.equal(String(await readAll(spool.read(name))), 'one,two')
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
  await spool.remove(name)
  await spool.remove(name)
  await assert.rejects(readAll(spool.read(name)), {
    code: 'upload_missing',
    message: 'the uploaded working directory is gone',
  })
})

test('a file that nobody kept is gone, written or not', async (t) => {
  const { spool, folder } = open(t)
  {
    await using _empty = await spool.create()
    await using file = await spool.create()
    await file.write(Buffer.from('x'))
    await file.sync()
    assert.equal(readdirSync(folder).length, 2)
  }
  assert.deepEqual(readdirSync(folder), [])
})

test('what is old and nobody owns is swept up, nothing else', async (t) => {
  const { spool, folder } = open(t)
  assert.deepEqual(await spool.sweep(() => false), [], 'there is no folder yet')
  const names: Record<string, string> = {}
  for (const key of ['owned', 'old', 'new']) {
    await using file = await spool.create()
    await file.sync()
    file.keep()
    names[key] = file.name
  }
  const before = Date.now() / 1_000 - 700
  for (const key of ['owned', 'old']) utimesSync(join(folder, names[key] ?? ''), before, before)
  assert.deepEqual(await spool.sweep((name) => name === names['owned']), [names['old']])
  assert.deepEqual(new Set(readdirSync(folder)), new Set([names['owned'], names['new']]))
})

test('a full disk says so, and the file goes away', async (t) => {
  const { spool, folder } = open(t)
  mkdirSync(folder)
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder])
  assert.equal(mount.status, 0, String(mount.stderr))
  try {
    {
      await using file = await spool.create()
      await assert.rejects(file.write(Buffer.alloc(1_000_000)), {
        code: 'storage_full',
        message: 'the disk is full; free some space',
      })
    }
    assert.deepEqual(readdirSync(folder), [])
  } finally {
    spawnSync('umount', [folder])
  }
})
