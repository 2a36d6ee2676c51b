import { createOperations as createApiWrites } from '../../src/api/writes.js'
import { createOperations as createExecutorWrites } from '../../src/executor/writes.js'
import { createExecutors } from '../../src/shared/db/executors.js'
import { openDatabase, type Db } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { createWaitReasons } from '../../src/shared/db/wait-reasons.js'
import { insertPipeline, tempStorage } from '../helpers/storage.js'
import { median, percentile, type Figure } from './stats.js'

type Scope = Parameters<typeof tempStorage>[0]

const LEASE = 3_600_000
const LIMIT = 10

/**
 * Admission and claims beside a long queue in many groups: one transaction each, as the writer threads
 * make them. `blocked`: the front of the queue is all of held groups, so only their heads tell.
 */
export async function benchQueueClaims(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const runs = isQuick ? 10_000 : 100_000
  const groups = isQuick ? 1_000 : 10_000
  const rounds = isQuick ? 50 : 200
  const spread = measure(scope, { runs, groups, rounds, isBlocked: false })
  const blocked = measure(scope, { runs, groups, rounds, isBlocked: true })
  const queue = `${runs} queued in ${groups} groups`
  return Promise.resolve([
    figure(`claim of ${LIMIT}, ${queue}`, median(spread.claims), 5),
    figure(`claim of ${LIMIT}, p99`, percentile(spread.claims, 99), 20),
    figure(`admission, ${queue}`, median(spread.admissions), 5),
    figure(`claim, front of the queue held`, median(blocked.claims), 50),
    figure(`reason of a waiting run`, median(spread.reasons), 2),
  ])
}

function figure(name: string, value: number, goal: number): Figure {
  return { name, value, unit: 'ms', goal: `<= ${goal} ms`, isMet: value <= goal }
}

interface Load {
  runs: number
  groups: number
  rounds: number
  isBlocked: boolean
}

function measure(scope: Scope, { runs, groups, rounds, isBlocked }: Load) {
  const db = openDatabase(tempStorage(scope), { mode: 'write' })
  scope.after(() => db.close())
  // the disk's part is measured elsewhere: claims are not synced, and admissions share their syncs
  db.pragma('synchronous = normal')
  const api = createApiWrites(db)
  const executor = createExecutorWrites(db)
  const reasons = createWaitReasons(db)
  insertPipeline(db, 'p')
  createExecutors(db).register(
    { id: 'e', pid: 1, host: 'bench', capacity: 1_000, labels: [] },
    Date.now(),
    Date.now() + LEASE,
  )
  let number = 0
  // without notes of what others have admitted, as after each write of an executor
  const admit = (group: string, notes = new Map<string, number>()) => {
    const admission = api.admitRun(toAdmission(`r${number++}`, group), notes)
    if (admission.outcome !== 'accepted') throw new Error(admission.outcome)
    return admission.run
  }
  const nameOf = (at: number): string => {
    if (!isBlocked) return `g${at % groups}`
    // half of the queue, all of it in front, is in a group that somebody holds
    return at < runs / 2 ? 'held' : `g${at % groups}`
  }
  inOne(db, () => {
    const notes = new Map<string, number>()
    for (let at = 0; at < runs; at++) admit(nameOf(at), notes)
  })

  const [claims, admissions, waits]: [number[], number[], number[]] = [[], [], []]
  const table = createRuns(db)
  for (let round = 0; round < rounds; round++) {
    const taken = time(claims, () =>
      inOne(db, () =>
        executor.claim({
          ...{ executorId: 'e', labels: [], limit: LIMIT, now: Date.now(), leaseTtlMs: LEASE },
          ...{ defaultDriver: 'native', isIdle: false },
        }),
      ),
    )
    if (taken.length !== LIMIT) throw new Error(`${taken.length} were claimed`)
    const run = time(admissions, () => inOne(db, () => admit(`g${round}`)))
    time(waits, () => reasons.find(run, Date.now()))
    inOne(db, () => {
      for (const { run: one } of taken)
        if (one.concurrencyGroup !== 'held') table.finish(claimOf(one), { status: 'success' }, 1)
    })
  }
  return { claims, admissions, reasons: waits }
}

function claimOf({ id, attempt }: { id: string; attempt: number }) {
  return { runId: id, attempt }
}

function toAdmission(id: string, group: string) {
  return {
    run: {
      ...{ id, pipelineId: 'p', triggeredBy: '', requestId: '', triggerInput: {} },
      triggerType: 'manual' as const,
    },
    resolved: { rule: { mode: '' as const, template: '', cancelsRunning: false }, group },
    maxQueueSize: 10_000_000,
    now: Date.now(),
  }
}

function inOne<T>(db: Db, work: () => T): T {
  return db.transaction(work).immediate()
}

function time<T>(times: number[], work: () => T): T {
  const start = performance.now()
  const result = work()
  times.push(performance.now() - start)
  return result
}
