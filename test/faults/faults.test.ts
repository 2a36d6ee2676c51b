import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test, type TestContext } from 'node:test'
import { BUSYBOX_IMAGE, docker, ensureBusybox } from '../helpers/docker-engine.js'
import { startOwnEngine } from '../helpers/own-engine.js'
import { tempDir } from '../helpers/temp-dir.js'
import { smallDisk } from '../helpers/small-disk.js'
import { until } from '../helpers/until.js'
import type { Actor } from './chaos/actor.js'
import { restartEngine } from './chaos/engine.js'
import {
  freezeExecutor,
  killApi,
  killEverything,
  killExecutor,
  stopServer,
} from './chaos/processes.js'
import { fillDisk, lockDatabase } from './chaos/storage.js'
import { checkWorld } from './check.js'
import { addCounts, deathsIn } from './counts.js'
import { openFileLedger, openVolumeLedger } from './ledger.js'
import { dockerLeftovers, nativeLeftovers } from './leftovers.js'
import { chooseSeed, createRandom, type Random } from '../helpers/random.js'
import { runWorld, type WorldOptions } from './world.js'

/**
 * Random pipelines under random harm. The same seed (`POCKETCI_TEST_SEED`) gives the same pipelines
 * and the same acts in the same order; when exactly they hit is the machine's to say.
 */
const isLong = Boolean(process.env['POCKETCI_TEST_LONG'])
const seed = chooseSeed()
const sum = new Map<string, number>()

/** Runs and kills over all worlds. */
const GOAL = isLong ? { runs: 200, deaths: 100 } : { runs: 20, deaths: 20 }
const LEFTOVERS_MS = 90_000

const PROCESSES = [killExecutor, killExecutor, killExecutor, killEverything, killApi, stopServer]
const FROZEN = [freezeExecutor, killExecutor]
const STORAGE = [lockDatabase, fillDisk, killExecutor]

const WORLDS: { name: string; play(t: TestContext, random: Random): Promise<void> }[] = [
  { name: 'native: processes die', play: (t, random) => playNative(t, random, PROCESSES) },
  { name: 'docker: processes die', play: (t, random) => playDocker(t, random, PROCESSES) },
  { name: 'native: zombies', play: (t, random) => playNative(t, random, FROZEN) },
  { name: 'native: storage fails', play: (t, random) => playNative(t, random, STORAGE) },
  ...(isLong ? [{ name: 'docker: the engine dies', play: playEngine }] : []),
]

console.log(`POCKETCI_TEST_SEED=${seed}`)
// most of their time is waiting
describe('worlds', { concurrency: 2 }, () => {
  for (let world = 0; world < (isLong ? 20 : WORLDS.length); world++) {
    const { name, play } = worldOf(world)
    test(`${name} (world ${world} of seed ${seed})`, (t) => play(t, createRandom(seed + world)))
  }
})

test('the suite did what it is for', () => {
  assert.ok((sum.get('runs') ?? 0) >= GOAL.runs, JSON.stringify([...sum]))
  assert.ok(deathsIn(sum) >= GOAL.deaths, JSON.stringify([...sum]))
})

after(() => {
  const counts = [...sum].map(([what, times]) => `  ${what}: ${times}`)
  console.log(
    [`seed ${seed}, deaths of processes and threads: ${deathsIn(sum)}`, ...counts].join('\n'),
  )
})

function worldOf(at: number): (typeof WORLDS)[number] {
  const world = WORLDS[at % WORLDS.length]
  if (!world) throw new Error('there is no world')
  return world
}

async function playNative(t: TestContext, random: Random, kinds: readonly Actor[]): Promise<void> {
  const outside = tempDir(t)
  chmodSync(outside, 0o711) // steps are another user
  const nativeRoot = join(outside, 'native')
  using ledger = openFileLedger(outside)
  const world = await play(t, {
    ...{
      random,
      nativeRoot,
      notesDir: outside,
      ledger,
      image: '',
      hasSandboxes: true,
      hasFaultPoints: true,
    },
    dir: await smallDisk(t),
    args: [],
    actors: actorsOf(random, kinds, isLong ? 12 : 9),
  })
  await until(
    'nothing is left',
    () => nativeLeftovers(world.server, nativeRoot).length === 0,
    LEFTOVERS_MS,
  )
  assert.equal(await world.server.stop(), 0)
}

async function playDocker(t: TestContext, random: Random, kinds: readonly Actor[]): Promise<void> {
  const image = await ensureBusybox()
  using ledger = openVolumeLedger(
    await docker('info', '--format', '{{.DockerRootDir}}'),
    tokenOf(random),
  )
  const world = await play(t, {
    ...{ random, ledger, image, hasSandboxes: true, hasFaultPoints: true, ...foldersOf(t) },
    args: ['--driver=docker'],
    actors: actorsOf(random, kinds, isLong ? 10 : 7),
  })
  const isClean = async () => (await dockerLeftovers(docker, world)).length === 0
  await until('nothing is left', isClean, LEFTOVERS_MS)
  assert.equal(await world.server.stop(), 0)
}

/** Long enough that an engine that stops hits some. */
const LONG = ['0.1', '0.3']

/**
 * A sandbox that dies with its engine takes its files along: the steps of these worlds need none. And a
 * container that an engine killed while nobody watched it counts as ended: here no executor dies.
 */
async function playEngine(t: TestContext, random: Random): Promise<void> {
  const engine = await startOwnEngine(t)
  using ledger = openVolumeLedger(engine.root, tokenOf(random))
  // once: a step that is lost twice fails
  const actors = [restartEngine(engine)]
  const world = await play(t, {
    ...{
      random,
      ledger,
      image: BUSYBOX_IMAGE,
      hasSandboxes: false,
      hasFaultPoints: false,
      actors,
      pauses: LONG,
      ...foldersOf(t),
    },
    args: ['--driver=docker', `--docker-host=${engine.host}`],
  })
  const isClean = async () => (await dockerLeftovers(engine.docker, world)).length === 0
  await until('nothing is left', isClean, LEFTOVERS_MS)
  assert.equal(await world.server.stop(), 0)
}

async function play(t: TestContext, options: Omit<WorldOptions, 'runs'> & { runs?: number }) {
  const world = await runWorld(t, { runs: isLong ? 12 : 5, ...options })
  const found = await checkWorld(world, options.ledger)
  const counts = [...world.counts, ...Object.entries(found)]
  addCounts(sum, counts)
  t.diagnostic(counts.map(([what, times]) => `${what}: ${times}`).join(', '))
  return world
}

/** The kinds in turn, shuffled: how much harm is done does not depend on the seed. */
function actorsOf(random: Random, kinds: readonly Actor[], acts: number): Actor[] {
  return random.shuffle(
    Array.from({ length: Math.ceil(acts / kinds.length) }, () => kinds)
      .flat()
      .slice(0, acts),
  )
}

function foldersOf(t: TestContext) {
  const dir = tempDir(t)
  return { dir, nativeRoot: join(dir, 'native'), notesDir: dir }
}

function tokenOf(random: Random): string {
  return `${process.pid}-${random.int(1_000_000)}`
}
