import { createOperations as createApiWrites } from '../../src/api/writes.js'
import { createOperations as createExecutorWrites } from '../../src/executor/writes.js'
import { createClaims, type ClaimInput } from '../../src/shared/db/claim-runs.js'
import { createExecutors } from '../../src/shared/db/executors.js'
import { createGates, type NewGate } from '../../src/shared/db/gates.js'
import { createJournal } from '../../src/shared/db/journal.js'
import { openDatabase, type Db } from '../../src/shared/db/open.js'
import { createPipelines } from '../../src/shared/db/pipelines.js'
import type { Claim } from '../../src/shared/db/runs.js'

/**
 * One of the processes of the queue's model test: it does what it is asked to with a connection of its
 * own, one transaction each. `<database> <windows as JSON>`.
 */
export type Side = ReturnType<typeof createSide>

export interface Request {
  name: keyof Side
  args: unknown[]
}

export type Reply = { value: unknown } | { error: string }

const [path = '', windows = '[]'] = process.argv.slice(2)
const db = openDatabase(path, { mode: 'write' })
db.pragma('synchronous = off') // nobody pulls the plug here
const side = createSide(db, JSON.parse(windows) as number[])

process.on('message', ({ name, args }: Request) => process.send?.(reply(name, args)))
process.on('disconnect', () => process.exit(0))

function reply(name: keyof Side, args: unknown[]): Reply {
  try {
    // the caller's types tie the arguments to the name
    const perform = side[name] as (...args: unknown[]) => unknown
    return { value: db.transaction(() => perform(...args)).immediate() }
  } catch (error) {
    return { error: String(error) }
  }
}

const RESULT = { kind: 'result', effect: 1, outcome: 'resolve', value: 'null', at: 1 } as const

function createSide(db: Db, windows: readonly number[]) {
  const api = createApiWrites(db)
  const executor = createExecutorWrites(db)
  const executors = createExecutors(db)
  const claims = createClaims(db, windows)
  const pipelines = createPipelines(db)
  const journal = createJournal(db)
  const gates = createGates(db)
  type Admit = Parameters<typeof api.admitRun>[0]
  type Stop = Parameters<typeof api.stopRun>[0]
  type Resolve = Parameters<typeof api.resolveGate>[0]

  return {
    clear: () => void db.exec('delete from runs; delete from executors'),
    setPipeline: (...args: Parameters<typeof pipelines.upsert>) => void pipelines.upsert(...args),
    setPaused: api.setPaused,
    admit: (input: Admit) => api.admitRun(input, new Map()).outcome,
    stop: (input: Stop) => api.stopRun(input, new Map()),
    resolveGate: (input: Resolve) => api.resolveGate(input, new Map()).outcome,

    register: executors.register,
    expire: executors.expire,
    /** What a look finds, and what a claim takes. */
    claim: (input: ClaimInput) => ({
      hasClaimable: claims.hasClaimable(input),
      ids: claims.claim(input),
    }),
    finish: executor.finish,
    handOver: executor.handOver,
    release: executor.release,
    record: (claim: Claim, seq: number) => void journal.append(claim, { ...RESULT, seq }),
    expireGates: executor.expireGates,
    /** The run asks for a gate and waits at it. */
    waitAtGate(claim: Claim, gate: NewGate, now: number) {
      gates.insert(gate, claim.runId, now)
      const dueAt = gates.find(gate.id)?.deadlineAt ?? null
      const on = { type: 'gate', number: gate.number } as const
      return executor.suspend({ claim, waits: [{ on, reason: 'gate', dueAt }], now })
    },
  }
}
