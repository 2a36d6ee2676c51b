import { join } from 'node:path'
import Docker from 'dockerode'
import type { ExecutorWrites } from '../../src/executor/writes.js'
import { migrateStorage } from '../../src/shared/db/migrate.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { openWriter } from '../../src/shared/db/writer/open-writer.js'
import { DOCKER_HOST, ensureBusybox } from '../helpers/docker-engine.js'
import { CLAIMER, insertPipeline } from '../helpers/storage.js'
import { tempDir } from '../helpers/temp-dir.js'
import { timeBareStep } from './docker-step.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof tempDir>[0]

/** What a step's rows cost: its intent and its result, each on the disk before it goes on. */
export async function benchJournal(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const value = median(await timeSteps(scope, isQuick ? 100 : 1_000))
  await ensureBusybox()
  const docker = new Docker({ socketPath: new URL(DOCKER_HOST).pathname })
  const bare: number[] = []
  for (let at = 0; at < (isQuick ? 5 : 20); at++) bare.push(await timeBareStep(docker))
  const step = median(bare)
  return [
    {
      name: 'journalling a step',
      value,
      unit: 'ms',
      floor: { name: 'a docker step bare', value: step },
      ratio: value / step,
      goal: '<= 0.05 x a docker step',
      isMet: value / step <= 0.05,
    },
  ]
}

/** Milliseconds of each step, one after the other. */
async function timeSteps(scope: Scope, count: number): Promise<number[]> {
  const path = join(tempDir(scope), 'journal.db')
  migrateStorage({ storage: path, secrets: path })
  insertRun(path)
  const operations = new URL('../../src/executor/writes.js', import.meta.url)
  await using writer = await openWriter<ExecutorWrites>({ path, operations })
  const { client } = writer
  const now = Date.now()
  await client.write('claim', {
    ...{ executorId: 'x', limit: 1, now, leaseTtlMs: 600_000, ...CLAIMER },
  })
  const claim = { runId: 'r', attempt: 1 }
  const value = JSON.stringify({ code: 0, stdout: 'hi\n', stderr: '', status: 'complete' })
  const times: number[] = []
  for (let step = 1; step <= count; step++) {
    const start = performance.now()
    await client.write('record', {
      ...{ claim, now },
      entries: [
        {
          ...{ kind: 'intent', seq: 2 * step - 1, effect: step, name: 'runtime.run' },
          ...{ occurrence: step - 1, parent: 0, argsHash: Buffer.alloc(16, step), at: now },
        },
      ],
      changes: [{ type: 'insert', task: { step, path: `/pipeline/r/tasks/${step}`, name: 's' } }],
    })
    await client.write('record', {
      ...{ claim, now },
      entries: [
        { kind: 'result', seq: 2 * step, effect: step, outcome: 'resolve', value, at: now },
      ],
      changes: [
        { type: 'start', step },
        { type: 'finish', step, end: { status: 'success', code: 0 } },
      ],
    })
    times.push(performance.now() - start)
  }
  return times
}

function insertRun(path: string): void {
  const db = openDatabase(path, { mode: 'write' })
  insertPipeline(db, 'p')
  const more = { triggerType: 'manual' as const, triggeredBy: '', triggerInput: {}, requestId: '' }
  createRuns(db).insert({ id: 'r', pipelineId: 'p', ...more }, Date.now())
  db.close()
}
