import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import type { OutputStream } from '../../../src/shared/contract/statuses.js'
import { createLogChunks } from '../../../src/shared/db/log-chunks.js'
import { logsPathOf } from '../../../src/shared/db/open.js'
import { openWriter } from '../../../src/shared/db/writer/open-writer.js'
import { createRedactor } from '../../../src/shared/redact/redactor.js'
import type { LogWrites } from '../../../src/executor/log-writes.js'
import { openLogBatcher } from '../../../src/executor/steps/log-batcher.js'
import { openStepOutput } from '../../../src/executor/steps/step-output.js'
import { openForTest, tempStorage } from '../../helpers/storage.js'

const operations = new URL('../../../src/executor/log-writes.js', import.meta.url)
const MIB = 1_048_576

async function capture(
  t: TestContext,
  limits: { limitBytes?: number; messageBytes?: number } = {},
) {
  const path = logsPathOf(tempStorage(t))
  const writer = await openWriter<LogWrites>({ path, operations })
  t.after(() => writer[Symbol.asyncDispose]())
  const redactor = createRedactor()
  const log = openLogBatcher({
    ...{ writer: writer.client, claim: { runId: 'r', attempt: 1 }, step: 1, now: Date.now },
  })
  const opened = await openStepOutput({
    tryNumber: 1,
    redactor,
    log,
    limitBytes: 64 * MIB,
    messageBytes: 8 * MIB,
    ...limits,
  })
  const output = {
    write: (stream: OutputStream, bytes: Buffer) =>
      opened.write({ stream, bytes, offset: opened.from[stream] }),
    end: () => opened.end(),
  }
  const chunks = createLogChunks(openForTest(t, path, 'read'))
  const stored = () => chunks.listOfStep('r', 1, 0, 10_000)
  return { redactor, log, output, stored }
}

const text = (chunks: { bytes: Buffer }[]): string =>
  Buffer.concat(chunks.map(({ bytes }) => bytes)).toString()

test('20 MB in pieces of any size are stored byte for byte, in chunks of at most 64 KiB', async (t) => {
  const { output, stored } = await capture(t)
  const hash = createHash('sha256')
  let size = 1
  for (let sent = 0; sent < 20 * MIB; sent += size) {
    size = (size * 7 + 13) % 300_000
    const piece = Buffer.alloc(size, sent % 251)
    hash.update(piece)
    await output.write('stdout', piece)
  }
  await output.end()
  const read = createHash('sha256')
  for (const { bytes } of stored()) {
    assert.ok(bytes.length <= 65_536)
    read.update(bytes)
  }
  assert.equal(read.digest('hex'), hash.digest('hex'))
})

test('the first bytes are stored at once, later ones in batches', async (t) => {
  const { log, output, stored } = await capture(t)
  for (let n = 0; n < 200; n++) await output.write('stdout', Buffer.from(`line ${n}\n`))
  await log.flush()
  assert.ok(stored().length < 20, `${stored().length} chunks`)
  assert.equal(stored()[0]?.bytes.toString(), 'line 0\n')
})

test('streams keep their order and are told apart', async (t) => {
  const { output, stored } = await capture(t)
  for (const stream of ['stdout', 'stderr', 'stdout'] as const)
    await output.write(stream, Buffer.from(stream))
  await output.end()
  assert.deepEqual(
    stored().map(({ stream, seq }) => [stream, seq]),
    [
      ['stdout', 1],
      ['stderr', 2],
      ['stdout', 3],
    ],
  )
})

test('output above the limit is cut off with a marker that says how much is missing', async (t) => {
  const { output, stored } = await capture(t, { limitBytes: MIB })
  await output.write('stdout', Buffer.alloc(MIB - 2, 'a'))
  await output.write('stdout', Buffer.alloc(100, 'b'))
  await output.write('stderr', Buffer.alloc(50, 'c'))
  await output.end()
  assert.equal(
    text(stored().slice(-1)),
    '\n[pocketci] output truncated: 148 bytes are missing here, for a step keeps 1 MiB (--max-log-mb)\n',
  )
  assert.equal(text(stored()).includes('cc'), false)
})

test('a secret is masked in the log and in the result, also across pieces', async (t) => {
  const { redactor, output, stored } = await capture(t)
  redactor.add('hunter2!')
  await output.write('stdout', Buffer.from('password hunt'))
  await output.write('stdout', Buffer.from('er2! done'))
  const { stdout } = await output.end()
  assert.equal(stdout, 'password ***REDACTED*** done')
  assert.equal(text(stored()), 'password ***REDACTED*** done')
})

test('a result never outgrows a message to the guest, and says that it was cut', async (t) => {
  const { output } = await capture(t, { messageBytes: 30_000 })
  await output.write('stdout', Buffer.alloc(100_000, 1)) // six bytes each in JSON
  const result = await output.end()
  assert.ok(Buffer.byteLength(JSON.stringify(result)) < 30_000)
  assert.equal(result.isTruncated, true)
})
