import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrateStorage } from '../../src/shared/db/migrate.js'
import { openDatabase } from '../../src/shared/db/open.js'
import { createRuns } from '../../src/shared/db/runs.js'
import { insertPipeline } from '../helpers/storage.js'
import { tempDir } from '../helpers/temp-dir.js'
import type { ClaimerMessage } from './claimer.js'
import { median, percentile, type Figure } from './stats.js'

type Scope = Parameters<typeof tempDir>[0]

/** Runs that are claimed and ended a second, by several executors, beside the same SQL bare. */
export async function benchClaims(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const executors of [1, 2, 4]) {
    const rates: Record<Mode, number[]> = { ours: [], bare: [] }
    const waits: number[] = []
    for (let round = 0; round < (isQuick ? 1 : 3); round++)
      for (const mode of ['bare', 'ours'] as const) {
        const result = await claimAll(scope, { mode, executors, count: isQuick ? 1_000 : 10_000 })
        rates[mode].push(result.rate)
        waits.push(...result.waits)
      }
    figures.push(rateFigure(executors, rates), ...waitFigures(executors, waits))
  }
  return figures
}

type Mode = 'ours' | 'bare'

function rateFigure(executors: number, rates: Record<Mode, number[]>): Figure {
  const [value, floor] = [median(rates.ours), median(rates.bare)]
  return {
    name: `claim and finish, executors: ${executors}`,
    value,
    unit: '/s',
    floor: { name: 'the same SQL bare', value: floor },
    ratio: value / floor,
    goal: '>= 0.5 x the floor',
    isMet: value / floor >= 0.5,
  }
}

function waitFigures(executors: number, waits: readonly number[]): Figure[] {
  const most = percentile(waits, 99.9)
  const longest = percentile(waits, 100)
  const name = (which: string): string => `wait for a claim, ${which}, executors: ${executors}`
  return [
    { name: name('p99.9'), value: most, unit: 'ms', goal: '<= 100 ms', isMet: most <= 100 },
    { name: name('max'), value: longest, unit: 'ms', goal: '<= 1 s', isMet: longest <= 1_000 },
  ]
}

interface ClaimAll {
  mode: Mode
  executors: number
  count: number
}

async function claimAll(scope: Scope, { mode, executors, count }: ClaimAll) {
  const path = join(tempDir(scope), 'claims.db')
  migrateStorage({ storage: path, secrets: path })
  fill(path, count)
  const file = fileURLToPath(new URL('./claimer.js', import.meta.url))
  const children = Array.from({ length: executors }, (_, at) => fork(file, [mode, path, `e${at}`]))
  await Promise.all(children.map((child) => once(child, 'message')))
  const start = performance.now()
  const ends = await Promise.all(children.map((child) => run(child)))
  const took = performance.now() - start
  const ended = ends.reduce((sum, end) => sum + end.ended, 0)
  if (ended !== count) throw new Error(`${ended} of ${count} runs were ended`)
  return { rate: (count * 1_000) / took, waits: ends.flatMap(({ waits }) => waits) }
}

async function run(child: ChildProcess): Promise<{ ended: number; waits: number[] }> {
  child.send('go')
  const [message] = (await once(child, 'message')) as [ClaimerMessage]
  if (message.type !== 'over') throw new Error('a claimer has lost its place')
  return message
}

function fill(path: string, count: number): void {
  const db = openDatabase(path, { mode: 'write' })
  insertPipeline(db, 'p')
  const runs = createRuns(db)
  const more = { triggerType: 'manual' as const, triggeredBy: '', triggerInput: {}, requestId: '' }
  db.transaction(() => {
    for (let at = 0; at < count; at++) runs.insert({ id: `r${at}`, pipelineId: 'p', ...more }, at)
  })()
  db.close()
}
