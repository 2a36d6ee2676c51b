import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../src/shared/db/open.js'
import { startApiProcess } from '../helpers/api-process.js'
import { startServer } from '../helpers/server.js'
import { sign } from '../helpers/webhooks.js'
import { median, percentile, type Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

const SECRET = 'a webhook secret'
const CONNECTIONS = 100
const SENT = 5_000
/** Of them every tenth is one that was sent before. */
const REPEATED = 10
const WITHIN_MS = 10_000

/**
 * Signed webhooks: the delay of their answers while 5,000 come in ten seconds and runs of them are executed, how
 * many a second are on the disk when they are answered beside the same Express app that keeps nothing, and
 * how long `http.respond` takes on an idle server.
 */
export async function benchWebhooks(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  return [
    ...(await benchStorm(scope, isQuick ? 0.2 : 1)),
    await benchRate(scope, isQuick ? 1 : 3),
    await benchRespond(scope, isQuick ? 20 : 200),
  ]
}

async function benchStorm(scope: Scope, share: number): Promise<Figure[]> {
  const server = await startServer(scope, {
    args: ['--max-deferred-webhooks=5000', '--log-level=warn'],
  })
  const id = await set(server.url, 'export const pipeline = async () => {}')
  const amount = SENT * share
  const delays = await sendAll(server.url, id, { amount, withinMs: WITHIN_MS * share })
  const db = openDatabase(server.storage, { mode: 'read' })
  const count = (where: string): number =>
    Number(db.prepare(`select count(*) from webhook_deliveries where ${where}`).pluck().get())
  const taken = count("outcome in ('accepted', 'deferred')")
  const repeated = count("outcome = 'duplicate'")
  db.close()
  const expected = amount / REPEATED
  return [
    {
      name: `webhooks: delay of ${amount} in ${(WITHIN_MS * share) / 1_000} s, p99`,
      value: percentile(delays, 99),
      unit: 'ms',
      goal: '<= 250 ms',
      isMet: percentile(delays, 99) <= 250,
    },
    {
      name: `webhooks: taken of ${amount - expected}, repeated ${repeated} of ${expected}`,
      value: taken,
      unit: '',
      goal: 'all, once',
      isMet: taken === amount - expected && repeated === expected,
    },
  ]
}

async function benchRate(scope: Scope, rounds: number): Promise<Figure> {
  const ours = await startServer(scope, {
    command: 'api',
    args: ['--max-queue-size=1000000', '--log-level=warn'],
  })
  const bare = await startApiProcess(scope, 'memory')
  const rates = { ours: [] as number[], bare: [] as number[] }
  const [oursId, bareId] = [await set(ours.url, NOTHING), await set(bare.url, NOTHING)]
  for (let round = 0; round < rounds; round++) {
    rates.bare.push(await rateOf(bare.url, bareId))
    rates.ours.push(await rateOf(ours.url, oursId))
  }
  const [value, floor] = [median(rates.ours), median(rates.bare)]
  return {
    name: 'durable webhooks a second',
    value,
    unit: '/s',
    floor: { name: 'same Express app, no database', value: floor },
    ratio: value / floor,
    goal: '>= 0.3 x the floor',
    isMet: value / floor >= 0.3,
  }
}

async function benchRespond(scope: Scope, times: number): Promise<Figure> {
  const server = await startServer(scope, { args: ['--log-level=warn'] })
  const id = await set(
    server.url,
    "export const pipeline = async () => http.respond({ body: 'x' })",
  )
  const delays: number[] = []
  for (let at = 0; at < times; at++) {
    const [delay = Number.NaN] = await sendAll(server.url, id, { amount: 1, withinMs: 0 }, 200)
    delays.push(delay)
    // the run ends, the server idles
    await sleep(30)
  }
  const value = median(delays)
  return {
    name: `webhooks: delay of http.respond, p50 (p99 ${Math.round(percentile(delays, 99))} ms)`,
    ...{ value, unit: 'ms', goal: '<= 15 ms', isMet: value <= 15 },
  }
}

const NOTHING = 'export const pipeline = async () => {}'

async function set(url: string, content: string): Promise<string> {
  const response = await fetch(`${url}/api/pipelines/hook`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content, content_type: 'ts', webhook_secret: SECRET }),
  })
  const body = (await response.json()) as { id?: string; error?: string }
  if (body.id === undefined) throw new Error(`set: ${body.error}`)
  return body.id
}

async function rateOf(url: string, id: string): Promise<number> {
  const amount = 4_000
  const start = performance.now()
  await sendAll(url, id, { amount, withinMs: 0 })
  return amount / ((performance.now() - start) / 1_000)
}

let deliveries = 0

/**
 * Sends webhooks from 100 connections, evenly over a time or as fast as they are answered. Answers the delays, in
 * milliseconds from when each was due.
 */
async function sendAll(
  url: string,
  id: string,
  { amount, withinMs }: { amount: number; withinMs: number },
  expected = 202,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const first = deliveries
  deliveries += amount
  const start = performance.now()
  let next = 0
  const delays: number[] = []
  const work = async (): Promise<void> => {
    for (let at = next++; at < amount; at = next++) {
      const dueAt = start + (at * withinMs) / amount
      const early = dueAt - performance.now()
      if (early > 0) await sleep(early)
      const from = withinMs === 0 ? performance.now() : dueAt
      // every tenth repeats the one before it
      const number = at % REPEATED === REPEATED - 1 ? at - 1 : at
      const status = await send(agent, `${url}/api/webhooks/${id}`, first + number)
      if (status !== expected) throw new Error(`a webhook got ${status}`)
      delays.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, amount) }, () => work()))
  agent.destroy()
  return delays
}

function send(agent: Agent, url: string, number: number): Promise<number> {
  const body = JSON.stringify({ ref: 'refs/heads/main', number, commits: COMMITS })
  const headers = {
    ...sign('github', SECRET, body),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-github-delivery': `delivery-${number}`,
  }
  return new Promise((resolve, reject) => {
    const sending = request(url, { agent, method: 'POST', headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

/** About as much as a push has. */
const COMMITS = Array.from({ length: 10 }, (_, at) => ({
  ...{ id: String(at).repeat(40), message: 'mend what was broken before', distinct: true },
  ...{ author: { name: 'ann', email: 'ann@example.com' }, added: ['a.ts'], modified: ['b.ts'] },
}))
