import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import Docker from 'dockerode'
import { BUSYBOX_IMAGE, DOCKER_HOST, ensureBusybox } from '../helpers/docker-engine.js'
import { ended, trigger } from '../helpers/runs.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { rssOf, tiersOf, type Tier } from '../helpers/processes.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const MIB = 1_048_576

interface Options {
  isQuick: boolean
}

/** A step that prints a lot: its time beside the same process with its output thrown away. */
export async function benchLoudStep(scope: Scope, { isQuick }: Options): Promise<Figure[]> {
  const floor = { name: 'same process to /dev/null', time: timeBare }
  return benchLoud(scope, { isQuick, driver: 'native', floor, goal: 'said', maxRatio: Infinity })
}

/** The same in a container: beside reading it from the engine. */
export async function benchLoudDockerStep(scope: Scope, { isQuick }: Options): Promise<Figure[]> {
  await ensureBusybox()
  const floor = { name: 'read from the engine', time: timeFromEngine }
  const goal = '>= 0.8 x the speed of the floor'
  return benchLoud(scope, { isQuick, driver: 'docker', floor, goal, maxRatio: 1.25 })
}

interface LoudOptions extends Options {
  driver: 'native' | 'docker'
  floor: { name: string; time(script: string): Promise<number> }
  goal: string
  maxRatio: number
}

async function benchLoud(scope: Scope, options: LoudOptions): Promise<Figure[]> {
  const { isQuick, driver, floor, goal, maxRatio } = options
  const bytes = (isQuick ? 50 : 500) * 1_000_000
  const script = `yes 'a line of output as a build would print it, with a number 0123456789' | head -c ${bytes}`
  const server = await startServer(scope, { args: ['--max-log-mb=1024', `--driver=${driver}`] })
  const id = await server.setPipeline(
    'loud',
    `export const pipeline = async () => {
      const result = await runtime.run({ name: 'loud', image: '${BUSYBOX_IMAGE}', command: { path: 'sh', args: ['-c', ${JSON.stringify(script)}] } })
      if (result.code !== 0) throw new Error('exit code ' + result.code)
    }`,
  )
  await ended(server, await trigger(server, id)) // warm: threads, caches
  const bare: number[] = []
  const ours: number[] = []
  const growth = new Map<string, number>()
  for (let round = 0; round < (isQuick ? 1 : 3); round++) {
    bare.push(await floor.time(script))
    const tiers = await tiersOf(server)
    const watch = watchRss(tiers)
    const start = performance.now()
    const runId = await trigger(server, id)
    const run = await ended(server, runId, 600_000)
    ours.push(performance.now() - start)
    if (run.status !== 'success') throw new Error(`the loud run failed: ${run.error_message}`)
    const stored = await hashOf(server, runId)
    const expected = await hashOfCommand(script)
    if (stored !== expected) throw new Error('the stored output is not what the step wrote')
    for (const [name, grown] of watch.stop())
      growth.set(name, Math.max(growth.get(name) ?? 0, grown))
  }
  return [
    {
      name: `output of ${bytes / 1_000_000} MB, ${driver}, equal hash`,
      value: median(ours) / 1_000,
      unit: 's',
      floor: { name: floor.name, value: median(bare) / 1_000 },
      ratio: median(ours) / median(bare),
      goal,
      isMet: median(ours) / median(bare) <= maxRatio,
    },
    ...[...growth].map(([name, grown]) => ({
      name: `RSS growth over it, ${driver}, ${name}`,
      value: grown / MIB,
      unit: 'MiB',
      goal: '<= 64 MiB',
      isMet: grown <= 64 * MIB,
    })),
  ]
}

async function timeBare(script: string): Promise<number> {
  const start = performance.now()
  await once(spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] }), 'close')
  return performance.now() - start
}

/** Create, attach, start, read to the end: the calls that a step makes, and its output dropped. */
async function timeFromEngine(script: string): Promise<number> {
  const docker = new Docker({ socketPath: new URL(DOCKER_HOST).pathname })
  const start = performance.now()
  const container = await docker.createContainer({
    Image: BUSYBOX_IMAGE,
    Cmd: ['sh', '-c', script],
    AttachStdout: true,
    AttachStderr: true,
  })
  const output = await container.attach({ stream: true, stdout: true, stderr: true })
  await container.start()
  for await (const _ of output as AsyncIterable<Uint8Array>);
  await container.wait()
  const took = performance.now() - start
  await container.remove({ force: true })
  return took
}

async function hashOfCommand(script: string): Promise<string> {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const hash = createHash('sha256')
  for await (const part of child.stdout) hash.update(part as Buffer)
  return hash.digest('hex')
}

/** Reads the step's output back through the API. */
async function hashOf(server: TestServer, runId: string): Promise<string> {
  const response = await server.api(`/api/runs/${runId}/logs?step=1`)
  const hash = createHash('sha256')
  for await (const part of response.body ?? []) hash.update(part)
  return hash.digest('hex')
}

/** Samples memory until it is stopped; answers the growth of each tier over its start. */
function watchRss(tiers: readonly Tier[]): { stop(): Map<string, number> } {
  const start = tiers.map(({ pid }) => rssOf(pid))
  const peak = [...start]
  const timer = setInterval(() => {
    tiers.forEach(({ pid }, at) => (peak[at] = Math.max(peak[at] ?? 0, rssOf(pid))))
  }, 50)
  return {
    stop() {
      clearInterval(timer)
      return new Map(tiers.map(({ name }, at) => [name, (peak[at] ?? 0) - (start[at] ?? 0)]))
    },
  }
}
