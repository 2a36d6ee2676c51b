import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchDatabases } from '../../../src/shared/db/change-signal.js'
import { openWriter } from '../../../src/shared/db/writer/open-writer.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'
import type { TestWrites } from '../../helpers/test-writes.js'

const operations = new URL('../../helpers/test-writes.js', import.meta.url)

test('a commit of another connection is noticed, far sooner than by the poll', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  using changes = watchDatabases([openForTest(t, path, 'read')])
  const delays: number[] = []
  for (let n = 0; n < 20; n++) {
    const seen = changes.version
    const start = performance.now()
    const changed = changes.changed(seen)
    await writer.client.write('purge', { runId: String(n) })
    await changed
    delays.push(performance.now() - start)
  }
  const median = delays.sort((a, b) => a - b)[10] ?? Infinity
  assert.ok(median < 500, `median ${median} ms`)
})

test('a change between the look and the wait is not missed', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  using changes = watchDatabases([openForTest(t, path, 'read')])
  const seen = changes.version
  await writer.client.write('purge', { runId: 'x' })
  await changes.changed(seen)
  await changes.changed(seen) // has moved on: resolves at once
})

test('a wait ends when its signal aborts or the watch is disposed', async (t) => {
  const changes = watchDatabases([openForTest(t, tempStorage(t), 'read')])
  const abort = new AbortController()
  const aborted = changes.changed(changes.version, abort.signal)
  abort.abort()
  await aborted
  const disposed = changes.changed(changes.version)
  changes[Symbol.dispose]()
  await disposed
})

test('a commit that follows another is noticed as soon, however long the pauses behind that one are', async (t) => {
  const path = tempStorage(t)
  await using writer = await openWriter<TestWrites>({ path, operations })
  using changes = watchDatabases([openForTest(t, path, 'read')])
  const delays: number[] = []
  for (let n = 0; n < 9; n++) {
    await writer.client.write('purge', { runId: `first ${n}` })
    // the looks behind it are rare by now: the last two are 64 and 128 ms apart
    await sleep(155)
    const changed = changes.changed(changes.version)
    await writer.client.write('purge', { runId: `second ${n}` })
    const start = performance.now()
    await changed
    delays.push(performance.now() - start)
  }
  const median = delays.sort((a, b) => a - b)[4] ?? Infinity
  assert.ok(median < 50, `median ${median} ms`)
})
