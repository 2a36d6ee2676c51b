import { openWriter } from '../../src/shared/db/writer/open-writer.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { createOperations, type ExecutorWrites } from '../../src/executor/writes.js'

/**
 * A process of the bench `claims`: takes runs one by one and ends them at once, as an executor with
 * ten threads does it (`ours`) or with the same statements and nothing around them (`bare`).
 */
export type ClaimerMessage = { type: 'ready' } | { type: 'over'; ended: number; waits: number[] }

const THREADS = 10
const [mode = '', path = '', executorId = ''] = process.argv.slice(2)
const openTasks = { status: 'success' as const, errorMessage: '' }
const outcome = { status: 'success' as const }
const keep = { keepMs: 0, maxRuns: 1 }

const claimInput = () => ({
  ...{ executorId, limit: 1, now: Date.now(), leaseTtlMs: 60_000, defaultDriver: 'native' },
  ...{ labels: [], isIdle: false },
})

const work = mode === 'ours' ? await openOurs() : openBare()
process.send?.({ type: 'ready' } satisfies ClaimerMessage)
process.once('message', () => {
  void run()
})

async function run(): Promise<void> {
  const over = await work()
  process.send?.({ type: 'over', ...over } satisfies ClaimerMessage, () => process.exit(0))
}

async function openOurs() {
  const operations = new URL('../../src/executor/writes.js', import.meta.url)
  const { client } = await openWriter<ExecutorWrites>({ path, operations, patienceMs: 60_000 })
  return async () => {
    const waits: number[] = []
    let ended = 0
    const thread = async (): Promise<void> => {
      for (;;) {
        const start = performance.now()
        const [claimed] = await client.write('claim', claimInput(), { isDurable: false })
        waits.push(performance.now() - start)
        if (!claimed) return
        const claim = { runId: claimed.run.id, attempt: claimed.run.attempt }
        await client.write('finish', { claim, outcome, openTasks, keep, now: Date.now() })
        ended++
      }
    }
    await Promise.all(Array.from({ length: THREADS }, thread))
    return { ended, waits }
  }
}

function openBare() {
  const db = openDatabase(path, { mode: 'write' })
  db.pragma('busy_timeout = 60000')
  const { claim, finish } = createOperations(db)
  return async () => {
    let ended = 0
    for (;;) {
      db.pragma('synchronous = NORMAL')
      const [claimed] = db.transaction(() => claim(claimInput())).immediate()
      if (!claimed) return { ended, waits: [] }
      const { id: runId, attempt } = claimed.run
      db.pragma('synchronous = FULL')
      const end = { claim: { runId, attempt }, outcome, openTasks, keep, now: Date.now() }
      db.transaction(() => finish(end)).immediate()
      ended++
    }
  }
}
