import assert from 'node:assert/strict'
import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { migrateFile, migrateStorage } from '../../../src/shared/db/migrate.js'
import { openDatabase } from '../../../src/shared/db/open.js'
import { insertPipeline, openForTest, tempStorage } from '../../helpers/storage.js'
import { tempDir } from '../../helpers/temp-dir.js'

test('an empty folder gets both databases, and a second start changes nothing', (t) => {
  const path = tempStorage(t)
  insertPipeline(openForTest(t, path, 'write'), 'kept')
  migrateStorage({ storage: path, secrets: path })
  const db = openForTest(t, path, 'read')
  assert.equal(db.prepare('select count(*) from pipelines').pluck().get(), 1)
  assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
})

test('the migrations of a series are numbered from 1 without a gap or a repeat', () => {
  for (const series of ['main', 'logs', 'secrets']) {
    const folder = fileURLToPath(new URL(`../../../../migrations/${series}/`, import.meta.url))
    const versions = readdirSync(folder).map((file) => Number.parseInt(file, 10))
    assert.deepEqual(
      versions.toSorted((a, b) => a - b),
      versions.map((_, at) => at + 1),
    )
  }
})

test('a database of a newer version is refused and left as it was', (t) => {
  const path = tempStorage(t)
  const db = openForTest(t, path, 'write')
  db.prepare("update schema_versions set version = 99 where series = 'main'").run()
  assert.throws(() => migrateFile(path, 'main'), {
    code: 'storage_newer',
    message: /schema version 99, but this pocketci knows versions up to \d+: a newer pocketci/,
  })
})

test('secrets may live in a file of their own', (t) => {
  const dir = tempDir(t)
  const [storage, secrets] = [join(dir, 'a.db'), join(dir, 'b.db')]
  migrateStorage({ storage, secrets })
  const db = openDatabase(storage, { mode: 'write', attach: secrets })
  t.after(() => db.close())
  db.prepare("insert into secrets values ('global', 'K', x'00', 1, 0)").run()
  const other = openForTest(t, secrets, 'read')
  assert.equal(other.prepare('select count(*) from secrets').pluck().get(), 1)
})

const UNUSABLE = [
  [
    'a folder that is not there',
    (dir: string) => join(dir, 'no', 'such', 'x.db'),
    'storage_unusable',
  ],
  [
    'a file that is not a database',
    (dir: string) => {
      writeFileSync(join(dir, 'x.db'), 'hello '.repeat(1000))
      return join(dir, 'x.db')
    },
    'storage_unusable',
  ],
] as const

for (const [what, prepare, code] of UNUSABLE)
  test(`${what} is a clear error that names the file`, (t) => {
    const path = prepare(tempDir(t))
    assert.throws(
      () => migrateFile(path, 'main'),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, code)
        assert.ok(error.message.startsWith(`database ${path}: `), error.message)
        return true
      },
    )
  })

test('a database that another process holds locked is a clear error', (t) => {
  const path = join(tempDir(t), 'x.db')
  const holder = openForTest(t, path, 'write')
  holder.exec('begin exclusive')
  const blocked = openDatabase(path, { mode: 'write' })
  t.after(() => blocked.close())
  blocked.pragma('busy_timeout = 10')
  assert.throws(() => blocked.exec('create table t (x)'), { code: /^SQLITE_BUSY/ })
  holder.exec('commit')
  chmodSync(path, 0o644)
})
