import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openDatabase } from '../../src/shared/db/open.js'
import { freePort } from '../helpers/free-port.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/until.js'
import type { Actor, Stage } from './chaos/actor.js'
import { createFaultPoints } from './chaos/fault-points.js'
import type { OutsideLedger } from './ledger.js'
import { LEASE_TTL_MS, PATIENCE_MS } from './limits.js'
import type { Random } from '../helpers/random.js'
import { createScenario, type Scenario } from './scenario.js'
import { openTriggers } from './triggers.js'

export interface WorldOptions {
  random: Random
  /** Of the databases. */
  dir: string
  /** Of native steps: elsewhere, for the disk that fills up is the server's. */
  nativeRoot: string
  /** Of what tests note. */
  notesDir: string
  args: readonly string[]
  image: string
  ledger: OutsideLedger
  hasSandboxes: boolean
  /** Of their steps, see ScenarioOptions. */
  pauses?: readonly string[]
  /** Runs at least so many. */
  runs: number
  /** Whether processes die at fault points, too. */
  hasFaultPoints: boolean
  /** Done one after the other, while runs are under way. */
  actors: readonly Actor[]
}

/** What is left of a world when its runs have ended: a server that nobody harms, and the counts. */
export interface WorldEnd {
  server: TestServer
  runs: { id: string; scenario: Scenario }[]
  counts: Map<string, number>
  accepted: string[]
}

/** Distinct pipelines of a world; its runs take them in turn. */
const SCENARIOS = 6
const SHORT = ['0', '0.01', '0.03', '0.1']
/** At once, so that each act hits some. */
const ACTIVE = 3

/** Runs random pipelines while the actors do their harm, until all that was accepted has ended. */
export async function runWorld(t: TestContext, options: WorldOptions): Promise<WorldEnd> {
  const { random, dir, nativeRoot, notesDir } = options
  const counts = new Map<string, number>()
  const count = (what: string, by = 1): void => void counts.set(what, (counts.get(what) ?? 0) + by)
  const points = createFaultPoints(notesDir, random)
  const args = [
    ...[`--port=${await freePort()}`, `--native-root=${nativeRoot}`, '--executors=2'],
    ...[`--lease-ttl=${LEASE_TTL_MS}ms`, '--max-in-flight=6', '--drain-timeout=300ms'],
    ...['--log-level=warn', ...options.args],
  ]
  const start = (env: NodeJS.ProcessEnv) => startServer(t, { dir, args, env })

  let server = await start({})
  const scenarios = await storeScenarios(server, options)
  await server.stop()
  const arm = (): NodeJS.ProcessEnv => (options.hasFaultPoints ? points.arm() : {})
  server = await start(arm())

  const stage: Stage = {
    ...{ random, count, server: () => server },
    async restart() {
      server = await start(arm())
    },
  }
  const triggers = openTriggers(() => server.url, scenarios)
  for (const actor of options.actors) {
    await triggers.keepActive(() => unfinished(server), ACTIVE)
    await sleep(random.int(1_500))
    await until('no run is at its last try', () => !isAnyAtRisk(server), PATIENCE_MS)
    await actor(stage)
  }
  while (triggers.accepted.length < options.runs)
    await triggers.keepActive(() => unfinished(server), ACTIVE)
  await until('every run ends', () => unfinished(server) === 0, PATIENCE_MS)

  // what is armed now would hit the checks
  const passed = points.passed()
  for (const point of passed) count(`died at ${point}`)
  await server.stop()
  server = await start({})
  const runs = listRuns(server).map(({ id, pipelineId }) => {
    const scenario = scenarios.get(pipelineId)
    if (!scenario) throw new Error(`run ${id} has no scenario`)
    return { id, scenario }
  })
  return { server, runs, counts, accepted: triggers.accepted }
}

async function storeScenarios(
  server: TestServer,
  { random, image, ledger, hasSandboxes, pauses = SHORT }: WorldOptions,
): Promise<Map<string, Scenario>> {
  const scenarios = new Map<string, Scenario>()
  for (let n = 0; n < SCENARIOS; n++) {
    const blocks = 2 + random.int(3)
    const scenario = createScenario({
      ...{ random, image, ledger: ledger.step, hasSandboxes, blocks, pauses },
    })
    scenarios.set(await server.setPipeline(`scenario-${n}`, scenario.source), scenario)
  }
  return scenarios
}

function unfinished(server: TestServer): number {
  return Number(read(server, "select count(*) from runs where status in ('queued', 'running')")[0])
}

/**
 * The third death in a row without progress ends a run by design: nobody causes a second one. A death
 * counts when the run is claimed again; until then its lease has run out.
 */
function isAnyAtRisk(server: TestServer): boolean {
  const sql = `select count(*) from runs where status = 'running' and (
    lease_expires_at <= ${Date.now()} or (deaths > 0
      and claimed_seq >= (select coalesce(max(seq), 0) from journal where run_id = runs.id)))`
  return Number(read(server, sql)[0]) > 0
}

function listRuns(server: TestServer): { id: string; pipelineId: string }[] {
  const rows = read(server, "select id || ' ' || pipeline_id from runs order by seq")
  return rows.map((row) => {
    const [id = '', pipelineId = ''] = String(row).split(' ')
    return { id, pipelineId }
  })
}

function read({ storage }: TestServer, sql: string): unknown[] {
  const db = openDatabase(join(storage), { mode: 'read' })
  try {
    return db.prepare(sql).pluck().all()
  } finally {
    db.close()
  }
}
