import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { collect, isAlive } from '../../helpers/process.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'

const SUPERVISOR = fileURLToPath(new URL('./tiers/supervisor-process.js', import.meta.url))

interface Server {
  child: ChildProcess
  exited: Promise<[number | null, NodeJS.Signals | null]>
  events: () => string[]
}

/** A supervisor in a process group of its own, as a terminal would start it. */
async function start(t: TestContext, ...entries: string[]): Promise<Server> {
  const folder = tempDir(t)
  const child = spawn(process.execPath, [SUPERVISOR, folder, ...entries], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit') as Server['exited']
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    for (const pid of pidsOf(events())) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  const stdout = collect(child, 'stdout')
  await until('the supervisor is ready', () => stdout().includes('ready'))
  const file = join(folder, 'ci.db.events')
  const events = (): string[] =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  return { child, exited, events }
}

const pidsOf = (events: string[]): number[] => [
  ...new Set(events.map((event) => Number(event.split(' ').at(-1)))),
]

const endOf = (events: string[]): string[] =>
  events.filter((event) => /stopping|end/.test(event)).map((event) => event.replace(/ \d+$/, ''))

describe('signals to a server', () => {
  it('Ctrl-C, which reaches every process of the group, stops in order', async (t) => {
    const { child, exited, events } = await start(t, 'obedient', 'obedient')
    process.kill(-Number(child.pid), 'SIGINT')
    assert.deepEqual(await exited, [0, null])
    const end = endOf(events())
    // each was stopped once, by the word of the supervisor
    assert.equal(end.filter((event) => event.endsWith('stopping(stop)')).length, 2)
    assert.equal(end.at(-1), 'api: end')
  })

  it('the echo of a signal is no second one', async (t) => {
    const { child, exited } = await start(t, 'obedient', 'obedient')
    child.kill('SIGTERM')
    child.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
  })

  it('a second signal ends a server that would not stop', async (t) => {
    const { child, exited, events } = await start(t, 'obedient', 'stubborn')
    child.kill('SIGINT')
    await until('it is stopping', () => endOf(events()).length === 1)
    child.kill('SIGTERM')
    assert.deepEqual(await exited, [143, null])
    for (const pid of pidsOf(events())) assert.equal(isAlive(pid), false)
  })

  it('processes whose supervisor was killed stop by themselves', async (t) => {
    const { child, exited, events } = await start(t, 'obedient', 'obedient')
    child.kill('SIGKILL')
    await exited
    await until('both tiers are gone', () => pidsOf(events()).every((pid) => !isAlive(pid)))
    assert.deepEqual(endOf(events()).toSorted(), [
      'api: end',
      'api: stopping(the supervisor is gone)',
      'executor 1: end',
      'executor 1: stopping(the supervisor is gone)',
    ])
  })

  it('a tier that hangs without its supervisor does not stay', async (t) => {
    const { child, exited, events } = await start(t, 'stubborn')
    child.kill('SIGKILL')
    await exited
    const [pid = 0] = pidsOf(events())
    await until('the tier is gone', () => !isAlive(pid))
  })
})
