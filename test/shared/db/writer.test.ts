import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openWriter } from '../../../src/shared/db/writer/open-writer.js'
import { createWriterClient } from '../../../src/shared/db/writer/writer-client.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'
import type { TestWrites } from '../../helpers/test-writes.js'

const operations = new URL('../../helpers/test-writes.js', import.meta.url)

test('many writers at once share commits, and all of their rows are there', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  const clients = Array.from({ length: 8 }, () => createWriterClient<TestWrites>(writer.connect()))
  await Promise.all(
    clients.flatMap((client, at) =>
      Array.from({ length: 100 }, (_, n) => client.write('purge', { runId: `${at}-${n}` })),
    ),
  )
  const db = openForTest(t, path, 'read')
  assert.equal(db.prepare('select count(*) from log_purges').pluck().get(), 800)
  for (const client of clients) client[Symbol.dispose]()
})

test('a request that throws undoes itself and nothing of its group', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  const results = await Promise.allSettled([
    writer.client.write('purge', { runId: 'a' }),
    writer.client.write('purgeThenFail', { runId: 'b' }),
    writer.client.write('purge', { runId: 'c' }),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const db = openForTest(t, path, 'read')
  assert.deepEqual(db.prepare('select run_id from log_purges order by 1').pluck().all(), ['a', 'c'])
})

test('an AppError keeps its code and details across the thread', async (t) => {
  await using writer = await openWriter<TestWrites>({ path: tempStorage(t), operations })
  await assert.rejects(writer.client.write('purgeThenFail', { runId: 'x' }), {
    code: 'queue_full',
    details: { runId: 'x' },
  })
})

test('a synchronous write returns when it is committed and keeps the order of the client', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  const first = writer.client.write('purge', { runId: 'first' })
  assert.equal(writer.client.writeSync('count', {}), 1)
  assert.throws(() => writer.client.writeSync('purgeThenFail', { runId: 'x' }), {
    code: 'queue_full',
  })
  await first
})

test('a lock that stays fails an impatient writer and only delays a patient one', async (t) => {
  const path = tempStorage(t)
  const holder = openForTest(t, path, 'write')
  await using patient = await openWriter<TestWrites>({ path, operations, patienceMs: 60_000 })
  await using impatient = await openWriter<TestWrites>({ path, operations })
  for (const { client } of [patient, impatient]) await client.write('setBusyTimeout', {})
  holder.exec('begin immediate')
  const waiting = patient.client.write('purge', { runId: 'late' })
  await assert.rejects(impatient.client.write('purge', { runId: 'never' }), {
    code: 'storage_busy',
    message: /another process holds its write lock/,
  })
  holder.exec('commit')
  await waiting
  assert.deepEqual(holder.prepare('select run_id from log_purges').pluck().all(), ['late'])
})

test('what was asked of a writer that is closed is rejected', async (t) => {
  const writer = await openWriter<TestWrites>({ path: tempStorage(t), operations })
  const client = createWriterClient<TestWrites>(writer.connect())
  await client.write('purge', { runId: 'a' })
  const late = client.write('purge', { runId: 'b' }).then(
    () => 'committed',
    (error: { code: string }) => error.code,
  )
  await writer[Symbol.asyncDispose]()
  assert.match(await late, /committed|aborted/)
})
