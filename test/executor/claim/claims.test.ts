import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRuns } from '../../../src/shared/db/runs.js'
import { openWriter, type Writer } from '../../../src/shared/db/writer/open-writer.js'
import type { ExecutorWrites } from '../../../src/executor/writes.js'
import {
  CLAIMER,
  insertPipeline,
  KEEP_NOTHING,
  openForTest,
  tempStorage,
} from '../../helpers/storage.js'

const operations = new URL('../../../src/executor/writes.js', import.meta.url)
const CLAIMERS = 8
const RUNS = 2_000

test('eight claimers take two thousand runs, each once and all in order of their age', async (t) => {
  const path = tempStorage(t)
  const db = openForTest(t, path, 'write')
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  db.transaction(() => {
    for (let at = 0; at < RUNS; at++)
      runs.insert(
        {
          id: `r${at}`,
          pipelineId: 'p',
          triggerType: 'manual',
          triggeredBy: '',
          triggerInput: {},
          requestId: '',
        },
        at,
      )
  })()
  const writers: Writer<ExecutorWrites>[] = []
  for (let at = 0; at < CLAIMERS; at++)
    writers.push(await openWriter<ExecutorWrites>({ path, operations }))
  t.after(async () => {
    for (const writer of writers) await writer[Symbol.asyncDispose]()
  })

  const waits: number[] = []
  const claimAll = async ({ client }: Writer<ExecutorWrites>, at: number): Promise<string[]> => {
    const mine: string[] = []
    for (;;) {
      const start = performance.now()
      const input = {
        executorId: `e${at}`,
        limit: 5,
        now: Date.now(),
        leaseTtlMs: 60_000,
        ...CLAIMER,
      }
      const claimed = await client.write('claim', input, { isDurable: false })
      waits.push(performance.now() - start)
      if (claimed.length === 0) return mine
      for (const { run } of claimed) {
        mine.push(run.id)
        const finished = await client.write(
          'finish',
          {
            claim: { runId: run.id, attempt: run.attempt },
            outcome: { status: 'success' },
            openTasks: { status: 'success', errorMessage: '' },
            keep: KEEP_NOTHING,
            now: Date.now(),
          },
          { isDurable: false },
        )
        assert.equal(finished, 'ended')
      }
    }
  }
  const claims = (await Promise.all(writers.map(claimAll))).flat()
  assert.equal(claims.length, RUNS)
  assert.equal(new Set(claims).size, RUNS)
  assert.deepEqual(db.prepare('select distinct status, attempt from runs').all(), [
    { status: 'success', attempt: 1 },
  ])
  assert.ok(Math.max(...waits) < 5_000, `longest claim ${Math.max(...waits)} ms`)
})
