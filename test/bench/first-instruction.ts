import { setTimeout as sleep } from 'node:timers/promises'
import { createLogChunks } from '../../src/shared/db/log-chunks.js'
import { logsPathOf, openDatabase } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { ended, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { median, percentile, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const HELLO = `export const pipeline = async () => { console.log('first') }`

/**
 * From the commit that accepts a run to the first instruction of its pipeline: both times are
 * stored, one with the run, one with the first chunk of its console.
 */
export async function benchFirstInstruction(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const server = await startServer(scope)
  const id = await server.setPipeline('hello', HELLO)
  const db = openDatabase(server.storage, { mode: 'read' })
  const logsDb = openDatabase(logsPathOf(server.storage), { mode: 'read' })
  scope.after(() => db.close())
  scope.after(() => logsDb.close())
  const runs = createRuns(db)
  const logs = createLogChunks(logsDb)

  const delays: number[] = []
  for (let n = 0; n < (isQuick ? 30 : 300); n++) {
    const runId = await trigger(server, id)
    await ended(server, runId)
    const [first] = logs.listOfRun(runId, 0, 1)
    const run = runs.find(runId)
    if (!first || !run) throw new Error('the run left no trace')
    delays.push(first.at - run.createdAt)
    await sleep(5) // idle again, and not in step with any timer
  }
  const [p50, p99] = [median(delays), percentile(delays, 99)]
  return [
    {
      name: 'enqueue to first instruction, median',
      value: p50,
      unit: 'ms',
      goal: '<= 10 ms',
      isMet: p50 <= 10,
    },
    {
      name: 'enqueue to first instruction, p99',
      value: p99,
      unit: 'ms',
      goal: '<= 100 ms',
      isMet: p99 <= 100,
    },
  ]
}
