import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { createInstance } from '../../src/shared/db/instance.js'
import { openDatabase, type Db } from '../../src/shared/db/open.js'
import { BUSYBOX_IMAGE, docker, ensureBusybox } from '../helpers/docker-engine.js'
import { ended, getRun, runOnce, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/until.js'

before(ensureBusybox)

/** A step that is under way for ever, with a volume. */
const ENDLESS = `
export const pipeline = async () => {
  const v = await volumes.create({ name: 'v' })
  await runtime.run({ name: 'endless', image: '${BUSYBOX_IMAGE}', mounts: { v }, command: { path: 'sleep', args: ['6000'] } })
}`
const NOTHING = 'export const pipeline = async () => {}'

const ARGS = ['--executors=2', '--log-format=json', '--drain-timeout=1s', '--lease-ttl=3s']

interface Report {
  kind: string
  name: string
  runId: string
  reason: string
}

test('what no run owns is removed and reported once; what is owned, or another server’s, stays', async (t) => {
  const first = await startServer(t, { args: ARGS })
  const lost = {
    native: await endless(t, first, 'lost-native'),
    docker: await endless(t, first, 'lost', 'docker'),
  }
  const live = {
    native: await endless(t, first, 'live-native'),
    docker: await endless(t, first, 'live', 'docker'),
  }
  const { id: over } = await runOnce(first, 'over', NOTHING)
  const { id: overNative } = await runOnce(first, 'over-native', NOTHING)
  const liveContainers = await containersOf(live.docker)
  const lostLeader = processesOf(lost.native)
  await first.killTree()

  // as if the database were restored from a time before these two
  const instance = change(first, (db) => {
    db.prepare('delete from runs where id in (?, ?)').run(lost.native, lost.docker)
    db.prepare('update instance set swept_at = 0').run()
    return createInstance(db).getId()
  })
  const mine = {
    'pocketci.instance': instance,
    'pocketci.run': over,
    'orchestra.namespace': `ci-${over}`,
  }
  await make(t, 'volume', `ci-${over}-forgotten`, mine)
  await make(t, 'network', `ci-${over}-net`, mine)
  workspace(first, overNative, instance)
  // another server on the same engine, with the same root; and an older version
  const theirs = { ...mine, 'pocketci.instance': `${instance}0`, 'pocketci.run': 'theirs' }
  await make(t, 'volume', `ci-${over}-theirs`, { ...theirs, 'orchestra.namespace': 'ci-theirs' })
  const { 'pocketci.instance': _, ...old } = mine
  await make(t, 'volume', `ci-${over}-old`, {
    ...old,
    'pocketci.run': 'old',
    'orchestra.namespace': 'ci-old',
  })
  workspace(first, 'theirs', `${instance}0`)
  mkdirSync(join(first.dir, 'native', 'ci-old'))

  const second = await startServer(t, { args: ARGS, dir: first.dir })
  await until('what no run owns is gone', async () => {
    const left = [
      ...(await thingsOf(lost.docker)),
      ...(await thingsOf(over)).filter((name) => !/theirs|old/.test(name)),
    ]
    return (
      left.length === 0 &&
      !existsSync(folderOf(first, lost.native)) &&
      !existsSync(folderOf(first, overNative))
    )
  })
  assert.deepEqual(processesOf(lost.native), [])
  assert.notDeepEqual(lostLeader, [])

  for (const runId of [live.native, live.docker])
    await until(
      'a run that is under way goes on',
      async () => (await getRun(second, runId)).status === 'running',
    )
  assert.deepEqual(await containersOf(live.docker), liveContainers)
  assert.notDeepEqual(processesOf(live.native), [])
  assert.deepEqual((await thingsOf(over)).sort(), [`ci-${over}-old`, `ci-${over}-theirs`])
  assert.deepEqual(
    readdirSync(join(first.dir, 'native')).sort(),
    [`ci-${live.native}`, 'ci-old', 'ci-theirs'].sort(),
  )

  const reports = reportsOf(second)
  assert.deepEqual(
    reports
      .map(({ kind, name, reason }) => `${kind} ${name.replace(/-[0-9a-f]{8}$/, '')} ${reason}`)
      .sort(),
    [
      `container ci-${lost.docker}-0-endless run_unknown`,
      `network ci-${over}-net run_ended`,
      `processes ci-${lost.native}/0-endless run_unknown`,
      `volume ci-${lost.docker}-v run_unknown`,
      `volume ci-${over}-forgotten run_ended`,
      `workspace ${folderOf(first, lost.native)} run_unknown`,
      `workspace ${folderOf(first, overNative)} run_ended`,
    ].sort(),
  )

  for (const runId of [live.native, live.docker]) {
    await second.api(`/api/runs/${runId}/stop`, { method: 'POST' })
    await ended(second, runId)
  }
  await second.stop()
  change(first, (db) => db.prepare('update instance set swept_at = 0').run())
  const third = await startServer(t, { args: ARGS, dir: first.dir })
  await until('an executor looks', () => change(first, (db) => sweptAt(db) > 0))
  await third.stop()
  assert.deepEqual(reportsOf(third), [])
})

/** Starts a run and waits until its step is under way. */
async function endless(
  t: TestContext,
  server: TestServer,
  name: string,
  driver = 'native',
): Promise<string> {
  const runId = await trigger(server, await server.setPipeline(name, ENDLESS, { driver }))
  t.after(() => removeDockerThings(runId))
  await until('its step is under way', async () =>
    driver === 'native' ? processesOf(runId).length > 0 : (await containersOf(runId)).length > 0,
  )
  return runId
}

/** Of a run that a failed test has left under way. */
async function removeDockerThings(runId: string): Promise<void> {
  const filter = ['--filter', `label=pocketci.run=${runId}`]
  const containers = await docker('ps', '-aq', ...filter)
  if (containers !== '') await docker('rm', '-f', ...containers.split('\n'))
  const volumes = await docker('volume', 'ls', '-q', ...filter)
  if (volumes !== '') await docker('volume', 'rm', '-f', ...volumes.split('\n'))
}

function change<Value>({ storage }: TestServer, work: (db: Db) => Value): Value {
  const db = openDatabase(storage, { mode: 'write' })
  try {
    return work(db)
  } finally {
    db.close()
  }
}

function sweptAt(db: Db): number {
  return db.prepare<[], number>('select swept_at from instance').pluck().get() ?? 0
}

function reportsOf(server: TestServer): Report[] {
  return server
    .log()
    .split('\n')
    .filter((line) => line.includes('removing what no run owns'))
    .map((line) => JSON.parse(line) as Report)
}

async function make(
  t: TestContext,
  kind: 'volume' | 'network',
  name: string,
  labels: Record<string, string>,
): Promise<void> {
  const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
  await docker(kind, 'create', ...flags, name)
  t.after(() => docker(kind, 'rm', '-f', name).catch(() => undefined)) // removed by now, with luck
}

function folderOf({ dir }: TestServer, runId: string): string {
  return join(dir, 'native', `ci-${runId}`)
}

function workspace(server: TestServer, runId: string, instance: string): void {
  const folder = folderOf(server, runId)
  mkdirSync(join(folder, 'volumes', 'v'), { recursive: true })
  writeFileSync(join(folder, 'instance'), instance)
}

/** Names of all that an engine has of a run's. */
async function thingsOf(runId: string): Promise<string[]> {
  const filter = ['--filter', `name=ci-${runId}`, '--format']
  const lists = await Promise.all([
    docker('ps', '-a', ...filter, '{{.Names}}'),
    docker('volume', 'ls', ...filter, '{{.Name}}'),
    docker('network', 'ls', ...filter, '{{.Name}}'),
  ])
  return lists.flatMap((text) => text.split('\n')).filter(Boolean)
}

/** Ids of the containers of a run. */
async function containersOf(runId: string): Promise<string[]> {
  const text = await docker('ps', '-q', '--filter', `label=pocketci.run=${runId}`)
  return text.split('\n').filter(Boolean)
}

/** Processes of the native steps of a run. */
function processesOf(runId: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && environmentOf(pid).includes(`=ci-${runId}/`))
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return '' // it has just ended
  }
}
