import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '../../src/shared/db/open.js'
import { ended, trigger } from '../helpers/runs.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

/** How long a run that died with its last step under way takes until it is where it was, and over. */
export async function benchReplay(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const steps = isQuick ? 100 : 1_000
  const times: number[] = []
  const reads: number[] = []
  for (let round = 0; round < (isQuick ? 1 : 3); round++) {
    const { took, readTook } = await replayOnce(scope, steps)
    times.push(took)
    reads.push(readTook)
  }
  const [value, floor] = [median(times), median(reads)]
  return [
    {
      name: `replay of ${steps.toLocaleString('en')} finished steps`,
      value,
      unit: 'ms',
      floor: { name: 'reading the journal bare', value: floor },
      ratio: value / floor,
      goal: '<= 1,000 ms',
      isMet: value <= 1_000,
    },
  ]
}

/** From the second claim of the run to its end, by the times on record. */
async function replayOnce(scope: Scope, steps: number) {
  const dir = tempDir(scope)
  const gate = join(dir, 'gate')
  const server = await startServer(scope, { dir, args: ['--log-level=warn'] })
  const id = await server.setPipeline('many', pipelineOf(steps, gate))
  const run = await trigger(server, id)
  const db = openDatabase(server.storage, { mode: 'read' })
  const open = db.prepare("select count(*) from tasks where name = 'last' and status = 'running'")
  await until('the last step runs', () => open.pluck().get() === 1, 300_000)
  await server.killTree()
  // the last step is over when it is found again
  writeFileSync(gate, '')
  chmodSync(gate, 0o644)

  const again = await startServer(scope, { dir, args: ['--log-level=warn'] })
  const claimedAt = await claimOf(again.storage)
  const { status } = await ended(again, run)
  if (status !== 'success') throw new Error(`the run ended as ${status}`)
  const endedAt = Number(db.prepare('select completed_at from runs').pluck().get())
  const start = performance.now()
  const rows = db.prepare('select * from journal where run_id = ? order by seq').all(run)
  const readTook = performance.now() - start
  db.close()
  if (rows.length < 2 * steps) throw new Error(`only ${rows.length} rows`)
  await again.stop()
  return { took: endedAt - claimedAt, readTook }
}

/** When the run was claimed again: its executor has registered and taken it in the same breath. */
async function claimOf(storage: string): Promise<number> {
  const db = openDatabase(storage, { mode: 'read' })
  const attempt = db.prepare('select attempt from runs').pluck()
  try {
    while (attempt.get() !== 2) await new Promise((resolve) => setTimeout(resolve, 1))
    return Date.now()
  } finally {
    db.close()
  }
}

function pipelineOf(steps: number, gate: string): string {
  const script = `while [ ! -e ${gate} ]; do sleep 0.05; done`
  return `export const pipeline = async () => {
  for (let n = 0; n < ${steps}; n++) await runtime.run({ name: 'step ' + n, command: { path: 'true' } })
  await runtime.run({ name: 'last', command: { path: 'sh', args: ['-c', '${script}'] } })
}`
}
