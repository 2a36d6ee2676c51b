import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openDatabase } from '../../src/shared/db/open.js'
import { trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const WITH_STEP = `export const pipeline = async () => {
  await runtime.run({ name: 'echo', command: { path: 'echo', args: ['hi'] } })
}`
const WITHOUT_STEP = `export const pipeline = async () => {}`

const IN_FLIGHT = 10
/** Commits that a run costs besides its output: claim, intent, result, end. Without a step: claim, end. */
const COMMITS = { withStep: 4, withoutStep: 2 }

/** Runs a second of a full queue, beside the same processes and commits without pocketci. */
export async function benchRuns(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const count = isQuick ? 100 : 500
  const rounds = isQuick ? 1 : 3
  const server = await startServer(scope, {
    args: [`--max-in-flight=${IN_FLIGHT}`, '--max-queue-size=100000', '--log-level=warn'],
  })
  const echo = await server.setPipeline('echo', WITH_STEP)
  const empty = await server.setPipeline('empty', WITHOUT_STEP)
  const rates = {
    echo: [] as number[],
    empty: [] as number[],
    bareEcho: [] as number[],
    bareEmpty: [] as number[],
  }
  for (let round = 0; round < rounds; round++) {
    rates.bareEcho.push(await rateOfBare(scope, count, COMMITS.withStep, true))
    rates.echo.push(await rateOf(server, echo, count))
    rates.bareEmpty.push(await rateOfBare(scope, count, COMMITS.withoutStep, false))
    rates.empty.push(await rateOf(server, empty, count))
  }
  return [
    figure('runs a second, one native echo', rates.echo, rates.bareEcho, 45),
    figure('runs a second, no step', rates.empty, rates.bareEmpty, 100),
  ]
}

function figure(name: string, ours: number[], bare: number[], goal: number): Figure {
  const [value, floor] = [median(ours), median(bare)]
  return {
    name,
    value,
    unit: '/s',
    floor: { name: 'the same spawns and commits bare', value: floor },
    ratio: value / floor,
    goal: `>= ${goal}/s, >= 0.5 x the floor`,
    isMet: value >= goal && value / floor >= 0.5,
  }
}

/** From the first claim to the last end, by the times on record. */
async function rateOf(server: TestServer, pipelineId: string, count: number): Promise<number> {
  const db = openDatabase(server.storage, { mode: 'read' })
  const before = Number(db.prepare('select coalesce(max(seq), 0) from runs').pluck().get())
  for (let at = 0; at < count; at += 50)
    await Promise.all(
      Array.from({ length: Math.min(50, count - at) }, () => trigger(server, pipelineId)),
    )
  const open = db
    .prepare("select count(*) from runs where seq > ? and status in ('queued', 'running')")
    .pluck()
  await until('all runs end', () => open.get(before) === 0, 300_000)
  const row = db
    .prepare<[number], { took: number; good: number }>(
      "select max(completed_at) - min(started_at) as took, sum(status = 'success') as good from runs where seq > ?",
    )
    .get(before)
  db.close()
  if (!row || row.good !== count) throw new Error(`${row?.good} of ${count} runs succeeded`)
  return (count * 1_000) / row.took
}

/** The same number of processes, ten at a time, and the same number of synced commits. */
async function rateOfBare(
  scope: Scope,
  count: number,
  commits: number,
  hasStep: boolean,
): Promise<number> {
  const db = openDatabase(join(tempDir(scope), 'bare.db'), { mode: 'write' })
  db.exec('create table t (id integer primary key, x text)')
  const insert = db.prepare('insert into t (x) values (?)')
  const start = performance.now()
  let left = count
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      for (let n = 0; n < commits; n++) insert.run('x'.repeat(200))
      if (hasStep) await runEcho()
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, work))
  const took = performance.now() - start
  db.close()
  return (count * 1_000) / took
}

async function runEcho(): Promise<void> {
  const child = spawn('echo', ['hi'])
  child.stdout.resume()
  await once(child, 'close')
}
