import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { AppError } from '../../../src/shared/errors.js'
import { createLogger } from '../../../src/shared/logger.js'
import { supervise } from '../../../src/shared/supervisor/supervise.js'
import { isAlive } from '../../helpers/process.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'
import { fakeTier } from './tiers/fake-tier.js'

const FAST = { firstMs: 10, maxMs: 40, resetAfterMs: 30_000 }

interface Supervised {
  /** `<name>: <event> <pid>`, in order. */
  events(): string[]
  pidOf(name: string): number
  ready: Promise<void>
  exitCode: Promise<number>
  deadExecutors: string[]
  stop(): void
  force(signal: NodeJS.Signals): void
}

/** A supervisor of this process over the api's and the executor's entry; stopped with the test. */
function start(t: TestContext, { api, executor, drainTimeoutMs = 5_000 }: Entries): Supervised {
  const storage = join(tempDir(t), 'ci.db')
  const stopping = new AbortController()
  const forced = new AbortController()
  const ready = Promise.withResolvers<void>()
  const deadExecutors: string[] = []
  const exitCode = supervise({
    tiers: [
      ...(api ? [fakeTier({ entry: api, storage, kind: 'api' })] : []),
      ...(executor ? [fakeTier({ entry: executor, storage, kind: 'executor' })] : []),
    ],
    env: { PATH: process.env['PATH'], CI_BASIC_AUTH: 'secret', NODE_OPTIONS: '--no-warnings' },
    logger: createLogger({ level: 'error', format: 'json', addSource: false }, 'test').child(
      {},
      { level: 'silent' },
    ),
    stopping: stopping.signal,
    forced: forced.signal,
    drainTimeoutMs,
    onReady: () => ready.resolve(),
    onExecutorExit: (id) => deadExecutors.push(id),
    restart: FAST,
  })
  exitCode.catch(() => undefined) // the test looks at it when it comes to that
  t.after(async () => {
    stopping.abort('SIGTERM')
    forced.abort('SIGTERM')
    await exitCode.catch(() => undefined)
  })
  const file = `${storage}.events`
  const events = (): string[] =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  return {
    events,
    pidOf(name) {
      const last = events().findLast((event) => event.startsWith(`${name}: start`))
      return Number(last?.split(' ').at(-1))
    },
    ready: ready.promise,
    exitCode,
    deadExecutors,
    stop: () => stopping.abort('SIGTERM'),
    force: (signal) => forced.abort(signal),
  }
}

interface Entries {
  api?: string
  executor?: string
  drainTimeoutMs?: number
}

const starts = (events: string[], name: string): number =>
  events.filter((event) => event.startsWith(`${name}: start`)).length

/** What happened after the start, without process ids. */
const endOf = (events: string[]): string[] =>
  events.filter((event) => /stopping|end/.test(event)).map((event) => event.replace(/ \d+$/, ''))

describe('a supervisor', () => {
  it('stops intake, then the executors, then the api, and exits with 0', async (t) => {
    const server = start(t, { api: 'obedient', executor: 'obedient' })
    await server.ready
    server.stop()
    assert.equal(await server.exitCode, 0)
    const events = endOf(server.events())
    assert.deepEqual(events.toSorted(), [
      'api: end',
      'api: stopping(stop)',
      'executor 1: end',
      'executor 1: stopping(stop)',
    ])
    assert.equal(events.at(-1), 'api: end')
  })

  it('hands over the configuration and nothing of the environment but what is harmless', async (t) => {
    const server = start(t, { executor: 'obedient' })
    await server.ready
    const [started, environment] = server.events()
    assert.match(started ?? '', /^executor 1: start 4 /)
    assert.match(environment ?? '', /^executor 1: environment PATH /)
  })

  it('starts a dead process again and tells whose runs it had', async (t) => {
    const server = start(t, { api: 'obedient', executor: 'obedient' })
    await server.ready
    const pid = server.pidOf('executor 1')
    process.kill(pid, 'SIGKILL')
    await until('a second executor', () => starts(server.events(), 'executor 1') === 2)
    assert.deepEqual(server.deadExecutors, [`e1-${pid}`])
    assert.equal(starts(server.events(), 'api'), 1)
  })

  it('starts a process again that was terminated by itself', async (t) => {
    const server = start(t, { api: 'obedient' })
    await server.ready
    process.kill(server.pidOf('api'), 'SIGTERM')
    await until('a second api', () => starts(server.events(), 'api') === 2)
    assert.deepEqual(endOf(server.events()), ['api: stopping(SIGTERM)', 'api: end'])
  })

  it('ends with what a tier reports when it cannot start, and leaves nothing running', async (t) => {
    const server = start(t, { api: 'fatal', executor: 'obedient' })
    await assert.rejects(server.exitCode, (error) => {
      assert(error instanceof AppError)
      assert.equal(error.code, 'port_in_use')
      assert.equal(error.message, '--port 8080 is in use by another program')
      assert.deepEqual(error.details, { port: 8080 })
      return true
    })
    assert.equal(starts(server.events(), 'api'), 1)
    assert.equal(isAlive(server.pidOf('executor 1')), false)
  })

  it('ends when a tier crashes before it ever served', async (t) => {
    const server = start(t, { executor: 'crashing' })
    await assert.rejects(server.exitCode, {
      code: 'tier_failed',
      message: 'executor 1 ended with code 3 before it was ready; see its log above',
    })
    assert.equal(starts(server.events(), 'executor 1'), 1)
  })

  it('goes on trying when a tier that once served cannot start again', async (t) => {
    const server = start(t, { executor: 'killed-once' })
    await until('a third start', () => starts(server.events(), 'executor 1') === 3)
    assert.deepEqual(server.deadExecutors, ['first'])
    server.stop()
    assert.equal(await server.exitCode, 0)
  })

  it('kills what does not stop within its time, and exits with 1', async (t) => {
    const server = start(t, { api: 'obedient', executor: 'stubborn', drainTimeoutMs: -2_900 })
    await server.ready
    const pid = server.pidOf('executor 1')
    server.stop()
    assert.equal(await server.exitCode, 1)
    assert.equal(isAlive(pid), false)
    assert.deepEqual(server.deadExecutors, ['stubborn'])
    assert.equal(endOf(server.events()).at(-1), 'api: end')
  })

  it('kills everything at the second signal and exits with the code of that signal', async (t) => {
    const server = start(t, { executor: 'stubborn' })
    await server.ready
    const pid = server.pidOf('executor 1')
    server.stop()
    server.force('SIGINT')
    assert.equal(await server.exitCode, 130)
    assert.equal(isAlive(pid), false)
  })

  it('can be stopped while its processes start', async (t) => {
    const server = start(t, { api: 'obedient', executor: 'obedient' })
    server.stop()
    assert.equal(await server.exitCode, 0)
  })

  it('reports a missing entry file', async (t) => {
    const server = start(t, { api: 'no-such-file' })
    await assert.rejects(server.exitCode, { code: 'tier_failed' })
  })
})
