import assert from 'node:assert/strict'
import { logsPathOf, openDatabase } from '../../src/shared/db/open.js'
import { getRun, getTasks, outputOf, type ApiTask } from '../helpers/runs.js'
import type { TestServer } from '../helpers/server.js'
import type { OutsideLedger } from './ledger.js'
import type { ExpectedStep } from './scenario.js'
import type { WorldEnd } from './world.js'

/** What was found in a world, in numbers. */
export interface Found {
  runs: number
  steps: number
  /** Lines that steps have written outside. */
  effects: number
  /** Steps whose machine or engine died: they may have begun twice. */
  lost: number
  outputBytes: number
}

const LOST = /\[pocketci\] the step was lost: /

/** Every run that was accepted ended well, each step had its effect once, no output is missing or doubled. */
export async function checkWorld(world: WorldEnd, ledger: OutsideLedger): Promise<Found> {
  const { server, runs, accepted } = world
  const known = new Set(runs.map(({ id }) => id))
  for (const id of accepted) assert.ok(known.has(id), `the accepted run ${id} is gone`)
  const found: Found = { runs: runs.length, steps: 0, effects: 0, lost: 0, outputBytes: 0 }
  for (const run of runs) await checkRun(server, run, ledger, found)
  for (const path of [server.storage, logsPathOf(server.storage)])
    assert.equal(readOne(path, 'pragma integrity_check'), 'ok', path)
  return found
}

async function checkRun(
  server: TestServer,
  { id, scenario }: WorldEnd['runs'][number],
  ledger: OutsideLedger,
  found: Found,
): Promise<void> {
  const about = `run ${id} of\n${scenario.source}\n`
  const { status, error_message: message } = await getRun(server, id)
  assert.deepEqual([status, message], ['success', undefined], about)

  const tasks = new Map((await getTasks(server, id)).map((task) => [nameOf(task), task]))
  const expected = [
    ...scenario.steps,
    ...scenario.oneOf.map((options) => theOne(options, tasks, about)),
  ]
  const names = [
    ...expected.map(({ name }) => name),
    ...scenario.sandboxes.map((name) => `${name}-sandbox`),
  ]
  assert.deepEqual(new Set(tasks.keys()), new Set(names), about)
  const counts = ledger.countsOf(id)
  const lost = new Set<string>()
  for (const step of expected) {
    const task = tasks.get(step.name)
    const isLost = LOST.test(outputOf(task, 'stderr'))
    if (isLost) lost.add(step.name)
    const output = outputOf(task)
    checkStep(step, { task, output: isLost ? withoutFirstTry(output, step) : output, about })
    found.outputBytes += output.length
  }
  const kept = JSON.parse(
    String(readOne(server.storage, `select payload from storage_entries where run_id = '${id}'`)),
  ) as Record<string, unknown>
  assert.equal(kept['count'], scenario.count, `what storage has counted, of ${about}`)
  for (const { name, output } of scenario.heard)
    assert.equal(
      lost.has(name) ? withoutFirstTry(String(kept[name]), { name, output }) : kept[name],
      output,
      `what ${name} handed over, of ${about}`,
    )

  assert.deepEqual(new Set(counts.keys()), new Set(expected.map(({ name }) => name)), about)
  for (const [name, times] of counts)
    assert.ok(
      times === 1 || (lost.has(name) && times === 2),
      `${name} ran ${times} times: ${about}`,
    )
  found.steps += expected.length
  found.effects += [...counts.values()].reduce((sum, times) => sum + times, 0)
  found.lost += lost.size
}

/** Commands in sandboxes have one name in the tree; what they print says which it is. */
function nameOf(task: ApiTask): string {
  if (task.name !== 'exec sh') return task.name
  return /^(\w+) line 1$/m.exec(outputOf(task))?.[1] ?? task.path
}

function theOne(
  options: readonly ExpectedStep[],
  tasks: ReadonlyMap<string, ApiTask>,
  about: string,
): ExpectedStep {
  const [one, ...more] = options.filter(({ name }) => tasks.has(name))
  assert.ok(one && more.length === 0, `one of ${options.map(({ name }) => name).join()}: ${about}`)
  return one
}

/** The second try begins anew; what the first one came to say is before that, and no more. */
function withoutFirstTry(all: string, { name, output }: Omit<ExpectedStep, 'code'>): string {
  const first = all.slice(0, Math.max(0, all.length - output.length))
  assert.ok(output.startsWith(first), `the lost try of ${name} said ${JSON.stringify(first)}`)
  return all.slice(first.length)
}

function checkStep(
  { name, output: expected, code }: ExpectedStep,
  { task, output, about }: { task: ApiTask | undefined; output: string; about: string },
): void {
  const where = `${name} of ${about}`
  assert.equal(output, expected, where)
  assert.equal(task?.payload.code, code, where)
  assert.equal(task.payload.status, code === 0 ? 'success' : 'failure', where)
}

function readOne(path: string, sql: string): unknown {
  const db = openDatabase(path, { mode: 'read' })
  try {
    return db.prepare(sql).pluck().get()
  } finally {
    db.close()
  }
}
