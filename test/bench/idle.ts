import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from '../helpers/server.js'
import { cpuMsOf, rssOf, tiersOf } from '../helpers/processes.js'
import type { Figure } from './stats.js'

type Scope = Parameters<typeof startServer>[0]

/** What a server costs that has nothing to do. */
export async function benchIdle(
  scope: Scope,
  { isQuick }: { isQuick: boolean },
): Promise<Figure[]> {
  const server = await startServer(scope)
  const tiers = await tiersOf(server)
  await sleep(3_000) // start-up is over
  const before = tiers.map(({ pid }) => cpuMsOf(pid))
  const windowMs = isQuick ? 5_000 : 30_000
  await sleep(windowMs)
  return tiers.flatMap(({ pid, name }, at) => {
    const cpu = ((cpuMsOf(pid) - (before[at] ?? 0)) / windowMs) * 100
    const rss = rssOf(pid) / 1_048_576
    return [
      { name: `idle CPU, ${name}`, value: cpu, unit: '%', goal: '<= 1 %', isMet: cpu <= 1 },
      { name: `idle RSS, ${name}`, value: rss, unit: 'MiB', goal: 'said', isMet: true },
    ]
  })
}
