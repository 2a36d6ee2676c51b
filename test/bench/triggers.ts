import autocannon from 'autocannon'
import { startApiProcess } from '../helpers/api-process.js'
import { startServer } from '../helpers/server.js'
import { median, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const CONNECTIONS = 50

/**
 * Triggers a second that are on the disk when they are answered, beside the same Express app
 * without a database and with one commit a request. No executor runs: it would share the cores.
 */
export async function benchTriggers(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const server = await startServer(scope, {
    command: 'api',
    args: ['--max-queue-size=1000000', '--log-level=warn'],
  })
  const memory = await startApiProcess(scope, 'memory')
  const single = await startApiProcess(scope, 'single')
  const rates = { ours: [] as number[], memory: [] as number[], single: [] as number[] }
  for (const { url } of [memory, server, single]) await setPipeline(url)
  for (let round = 0; round < (isQuick ? 1 : 5); round++) {
    rates.memory.push(await load(memory.url))
    rates.ours.push(await load(server.url))
    rates.single.push(await load(single.url))
  }
  const [ours, bare, alone] = [median(rates.ours), median(rates.memory), median(rates.single)]
  const figure = (name: string, floor: number, goal: number): Figure => ({
    name: 'durable triggers a second',
    value: ours,
    unit: '/s',
    floor: { name, value: floor },
    ratio: ours / floor,
    goal: `>= ${goal} x the floor`,
    isMet: ours / floor >= goal,
  })
  return [
    figure('same Express app, no database', bare, 0.6),
    figure('same Express app, one commit a request', alone, 2.5),
  ]
}

async function setPipeline(url: string): Promise<void> {
  const response = await fetch(`${url}/api/pipelines/load`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'export const pipeline = async () => {}', content_type: 'ts' }),
  })
  if (!response.ok) throw new Error(`set: ${response.status} ${await response.text()}`)
}

async function load(url: string): Promise<number> {
  const result = await autocannon({
    url: `${url}/api/pipelines/load/trigger`,
    method: 'POST',
    connections: CONNECTIONS,
    duration: 4,
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refusals, ${result.errors} errors`)
  return result['2xx'] / result.duration
}
