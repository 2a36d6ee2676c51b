import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/shared/db/open.js'
import { startServer } from '../helpers/server.js'
import { tempDir } from '../helpers/temp-dir.js'
import { until } from '../helpers/until.js'

const CONNECTIONS = 50
const TRIGGERS = 3_000
const QUEUE = 2_000
const IN_FLIGHT = 4

test('3,000 triggers against a queue of 2,000: the recorded runs are exactly the 202s, also after SIGKILL of everything', async (t) => {
  const dir = tempDir(t)
  const args = [`--max-queue-size=${QUEUE}`, `--max-in-flight=${IN_FLIGHT}`, '--log-level=warn']
  const server = await startServer(t, { dir, args })
  // long enough that few end while the triggers come in
  const id = await server.setPipeline(
    'burst',
    `export const pipeline = async () => {
      await runtime.run({ name: 'wait', command: { path: 'sleep', args: ['0.15'] } })
    }`,
  )
  const accepted = new Set<string>()
  let refused = 0
  let sent = 0
  const client = async (): Promise<void> => {
    while (sent++ < TRIGGERS) {
      const response = await server.api(`/api/pipelines/${id}/trigger`, { method: 'POST' })
      const body = (await response.json()) as {
        run_id: string
        error?: string
        max_queue_size?: number
      }
      if (response.status === 202) accepted.add(body.run_id)
      else {
        assert.equal(response.status, 429)
        assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
        assert.equal(body.error, 'execution queue is full')
        assert.equal(body.max_queue_size, QUEUE)
        refused++
      }
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, client))
  await server.killTree()

  const recorded = idsIn(server.storage)
  assert.equal(accepted.size + refused, TRIGGERS)
  assert.ok(refused > 500, `only ${refused} were refused`)
  assert.deepEqual(recorded.size, accepted.size)
  assert.ok([...recorded].every((runId) => accepted.has(runId)))

  const again = await startServer(t, { dir, args: [...args, '--max-in-flight=10'] })
  await until('every run ends after the restart', () => openRuns(server.storage) === 0, 240_000)
  console.log(
    read(server.storage, (db) => db.prepare("select * from runs where status = 'failed'").all()),
    again.log().slice(-3000),
  )
  assert.deepEqual(failuresIn(server.storage), [], 'those that were under way go on')
  await again.stop()
})

test('max-in-flight is never exceeded in the recorded history, over several executors', async (t) => {
  const server = await startServer(t, {
    args: ['--executors=2', '--max-in-flight=3', '--max-queue-size=500', '--log-level=warn'],
  })
  const id = await server.setPipeline(
    'short',
    `export const pipeline = async () => {
      await runtime.run({ name: 'x', command: { path: 'sleep', args: ['0.05'] } })
    }`,
  )
  const triggers = Array.from({ length: 100 }, () =>
    server.api(`/api/pipelines/${id}/trigger`, { method: 'POST' }),
  )
  for (const response of await Promise.all(triggers)) assert.equal(response.status, 202)
  await until('all runs end', () => openRuns(server.storage) === 0, 120_000)
  assert.equal(mostAtOnce(server.storage), 3)
})

function read<Value>(path: string, look: (db: ReturnType<typeof openDatabase>) => Value): Value {
  const db = openDatabase(path, { mode: 'read' })
  try {
    return look(db)
  } finally {
    db.close()
  }
}

function idsIn(path: string): Set<string> {
  return read(path, (db) => new Set(db.prepare<[], string>('select id from runs').pluck().all()))
}

function openRuns(path: string): number {
  return read(path, (db) =>
    Number(
      db.prepare("select count(*) from runs where status in ('queued', 'running')").pluck().get(),
    ),
  )
}

function failuresIn(path: string): string[] {
  return read(path, (db) =>
    db
      .prepare<[], string>("select error_message from runs where status <> 'success'")
      .pluck()
      .all(),
  )
}

/** The largest number of runs whose recorded times overlap. */
function mostAtOnce(path: string): number {
  const runs = read(path, (db) =>
    db
      .prepare<[], { start: number; end: number }>(
        'select started_at as start, completed_at as end from runs',
      )
      .all(),
  )
  const events = runs
    .flatMap(({ start, end }) => [
      { at: start, change: 1 },
      { at: end, change: -1 },
    ])
    // an end and a start in the same millisecond: the end came first
    .sort((a, b) => a.at - b.at || a.change - b.change)
  let current = 0
  let most = 0
  for (const { change } of events) most = Math.max(most, (current += change))
  return most
}
